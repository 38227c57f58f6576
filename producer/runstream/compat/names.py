"""What each name of W&B refers to: a table for the finder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The version of W&B whose interface is provided; integrations require 0.12.10 or later.
VERSION = "0.31.0"
ROOT = "wandb"

_STAND_INS = "runstream.compat.stand_ins"
_ERRORS = {
    "Error": "runstream.exceptions:Error",
    "CommError": "runstream.exceptions:CommError",
    "AuthenticationError": "runstream.exceptions:CommError",
    "UsageError": "runstream.exceptions:UsageError",
    "UnsupportedError": "runstream.exceptions:UnsupportedError",
}
_READING = {
    "Api": "runstream.public_api.api:Api",
    "Run": "runstream.public_api.run:Run",
    "Runs": "runstream.public_api.runs:Runs",
}
_MEDIA = {"Histogram": "runstream.tracking.values.histogram:Histogram", "*": "runstream.unsupported_media"}

#: The attributes of each module, as MODULE:ATTRIBUTE or MODULE; ``*`` is the module with all other attributes. A string
#: instead of a table is such a module.
MODULES: Mapping[str, str | Mapping[str, str]] = {
    "wandb": {
        "*": "runstream",
        "wandb_sdk": "wandb.sdk",
        "wandb_lib": "wandb.sdk.lib",
        "_attach": f"{_STAND_INS}:attach",
        "attach": f"{_STAND_INS}:attach",
        "ensure_configured": f"{_STAND_INS}:ensure_configured",
    },
    "wandb.apis": {"PublicApi": "runstream.public_api.api:Api"},
    "wandb.apis.public": _READING,
    "wandb.apis.public.runs": _READING,
    "wandb.data_types": _MEDIA,
    "wandb.env": "runstream.compat.environment",
    "wandb.errors": _ERRORS,
    "wandb.errors.errors": _ERRORS,
    "wandb.errors.term": {name: f"runstream.messages:{name}" for name in ("termlog", "termwarn", "termerror")},
    "wandb.integration": {},
    "wandb.integration.keras": "runstream.integration.keras",
    "wandb.integration.lightgbm": "runstream.integration.lightgbm",
    "wandb.integration.sb3": "runstream.integration.sb3",
    "wandb.integration.xgboost": "runstream.integration.xgboost",
    "wandb.keras": "runstream.integration.keras",
    "wandb.lightgbm": "runstream.integration.lightgbm",
    "wandb.plot": "runstream.plot",
    "wandb.sdk": {
        "Settings": "runstream.settings:Settings",
        "init": "runstream.tracking.startup.initialize:init",
        "login": f"{_STAND_INS}:login",
        "setup": f"{_STAND_INS}:setup",
    },
    "wandb.sdk.data_types": _MEDIA,
    "wandb.sdk.lib": {"RunDisabled": f"{_STAND_INS}:RunDisabled"},
    "wandb.sdk.lib.config_util": {"ConfigError": "runstream.exceptions:ConfigError"},
    "wandb.sdk.lib.disabled": {"RunDisabled": f"{_STAND_INS}:RunDisabled"},
    "wandb.sdk.lib.paths": {name: f"{_STAND_INS}:{name}" for name in ("StrPath", "FilePathStr", "LogicalPath")},
    "wandb.sdk.lib.runid": {"generate_id": f"{_STAND_INS}:generate_id"},
    "wandb.sdk.lib.telemetry": {"context": f"{_STAND_INS}:telemetry_context"},
    "wandb.sdk.wandb_alerts": {"AlertLevel": "runstream.tracking.run.alert:AlertLevel"},
    "wandb.sdk.wandb_config": {"Config": "runstream.tracking.config.config:Config"},
    "wandb.sdk.wandb_init": {"init": "runstream.tracking.startup.initialize:init"},
    "wandb.sdk.wandb_run": {"Run": "runstream.tracking.run.run:Run", "finish": "runstream:finish"},
    "wandb.sdk.wandb_settings": {"Settings": "runstream.settings:Settings"},
    "wandb.sdk.wandb_summary": {"Summary": "runstream.tracking.summary.summary:Summary"},
    "wandb.tensorboard": "runstream.tensorboard",
    "wandb.util": _STAND_INS,
    "wandb.wandb_run": {"Run": "runstream.tracking.run.run:Run"},
    "wandb.xgboost": "runstream.integration.xgboost",
}
