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
    "UnsupportedError": "runstream.exceptions:UsageError",
}
_COLLECTIONS = "runstream.public_api.artifacts"
_READING = {
    "Api": "runstream.public_api.api:Api",
    "DownloadHistoryResult": "runstream.public_api.run_parts.exports:DownloadHistoryResult",
    "IncompleteRunHistoryError": "runstream.public_api.exceptions:IncompleteRunHistoryError",
    "Project": "runstream.public_api.projects:Project",
    "Run": "runstream.public_api.run:Run",
    "Sweep": "runstream.public_api.run_parts.run_pages:Sweep",
    "User": "runstream.public_api.projects:User",
    "Runs": "runstream.public_api.runs:Runs",
    "ArtifactCollection": "runstream.public_api.artifacts:ArtifactCollection",
    "ArtifactType": "runstream.public_api.artifacts:ArtifactType",
    **dict.fromkeys(("Artifacts", "RunArtifacts"), "runstream.public_api.artifacts:Artifacts"),
    **dict.fromkeys(("ArtifactCollections", "ProjectArtifactCollections"), f"{_COLLECTIONS}:ArtifactCollections"),
    # What is a list here.
    **dict.fromkeys(("ArtifactFiles", "ArtifactTypes", "Registries"), "builtins:list"),
    "File": "runstream.public_api.files:File",
    "Files": "runstream.public_api.files:Files",
    "Registry": "runstream.public_api.registries:Registry",
}
_ARTIFACT = {
    "Artifact": "runstream.artifacts.artifact:Artifact",
    "ArtifactTTL": "runstream.artifacts.ttl:ArtifactTTL",
    "*": "runstream.artifacts.exceptions",
}
_MEDIA_CLASSES = """
    Audio Bokeh BoundingBoxes2D Classes Graph Histogram Html Image ImageMask Molecule Object3D Plotly Video box3d
    EvalTable JoinedTable PartitionedTable Table
""".split()  # noqa: SIM905
_TRACE_CLASSES = ("Result", "Span", "SpanKind", "StatusCode", "Trace", "WBTraceTree")
_MEDIA = {
    **{name: f"runstream.media.base:{name}" for name in ("BatchableMedia", "Media", "WBValue")},
    **{name: f"runstream:{name}" for name in _MEDIA_CLASSES},
    **{name: f"runstream.media.graph:{name}" for name in ("Edge", "Node")},
    **{name: f"runstream.media.trace_tree:{name}" for name in _TRACE_CLASSES},
}

_MEDIA_MODULES = """
    audio bokeh graph helper_types helper_types.bounding_boxes_2d helper_types.classes helper_types.image_mask
    histogram html image molecule object_3d plotly table trace_tree video
""".split()  # noqa: SIM905
#: Integrations without any function.
_UNAVAILABLE_INTEGRATIONS = """
    diffusers dspy fastai gym huggingface kfp lightning metaflow openai prodigy sacred tensorflow torch
    ultralytics
""".split()  # noqa: SIM905

#: The attributes of each module, as MODULE:ATTRIBUTE or MODULE; ``*`` is the module with all other attributes. A string
#: instead of a table is such a module.
MODULES: Mapping[str, str | Mapping[str, str]] = {
    "wandb": {
        "*": "runstream",
        "wandb_sdk": "wandb.sdk",
        "wandb_lib": "wandb.sdk.lib",
        "_attach": f"{_STAND_INS}:attach",
        "api": f"{_STAND_INS}:API",
        "attach": f"{_STAND_INS}:attach",
        "catboost": "runstream.integration.catboost",
        "ensure_configured": f"{_STAND_INS}:ensure_configured",
        "join": "runstream:finish",
        "patched": f"{_STAND_INS}:PATCHED",
        "sklearn": "runstream.integration.sklearn",
        "termsetup": f"{_STAND_INS}:never",
    },
    "wandb.apis": {
        "Api": "runstream.public_api.api:Api",
        "PublicApi": "runstream.public_api.api:Api",
        "env": "runstream.compat.environment",
    },
    "wandb.apis.public": _READING,
    "wandb.apis.public.runs": _READING,
    "wandb.data_types": _MEDIA,
    "wandb.env": "runstream.compat.environment",
    "wandb.errors": _ERRORS,
    "wandb.errors.errors": _ERRORS,
    "wandb.errors.term": {
        "can_use_terminput": f"{_STAND_INS}:never",
        "termerror": "runstream.messages:termerror",
        "termlog": "runstream.messages:termlog",
        "termsetup": f"{_STAND_INS}:never",
        "termwarn": "runstream.messages:termwarn",
    },
    "wandb.integration": {},
    "wandb.integration.catboost": "runstream.integration.catboost",
    "wandb.integration.keras": "runstream.integration.keras",
    "wandb.integration.lightgbm": {
        "*": "runstream.integration.lightgbm",
        "CallbackEnv": "lightgbm.callback:CallbackEnv",
        "wb_telemetry": "wandb.sdk.lib.telemetry",
    },
    "wandb.integration.sb3": "runstream.integration.sb3",
    "wandb.integration.sagemaker": {"is_using_sagemaker": f"{_STAND_INS}:never"},
    "wandb.integration.sklearn": "runstream.integration.sklearn",
    "wandb.integration.tensorboard": "runstream.tensorboard",
    "wandb.integration.weave": {"init_weave_if_imported": f"{_STAND_INS}:never"},
    "wandb.integration.xgboost": "runstream.integration.xgboost",
    **{f"wandb.integration.{name}": {} for name in _UNAVAILABLE_INTEGRATIONS},
    "wandb.keras": "runstream.integration.keras",
    "wandb.lightgbm": "runstream.integration.lightgbm",
    "wandb.plot": "runstream.plot",
    "wandb.sdk": {
        "AlertLevel": "runstream.tracking.run.alert:AlertLevel",
        "Artifact": "runstream.artifacts.artifact:Artifact",
        "Config": "runstream.tracking.config.config:Config",
        "Settings": "runstream.settings:Settings",
        "Summary": "runstream.tracking.summary.summary:Summary",
        "finish": "runstream:finish",
        "init": "runstream.tracking.startup.initialize:init",
        "teardown": "runstream:teardown",
        **{name: f"{_STAND_INS}:{name}" for name in ("controller", "login", "require", "setup", "sweep")},
    },
    **{f"wandb.sdk.artifacts{part}": _ARTIFACT for part in ("", ".artifact", ".artifact_ttl", ".exceptions")},
    "wandb.sdk.data_types": _MEDIA,
    "wandb.sdk.data_types.base_types": {},
    "wandb.sdk.data_types.base_types.media": _MEDIA,
    "wandb.sdk.data_types.base_types.wb_value": _MEDIA,
    **dict.fromkeys((f"wandb.sdk.data_types.{name}" for name in _MEDIA_MODULES), _MEDIA),
    "wandb.sdk.launch": {},
    "wandb.sdk.lib": {"RunDisabled": f"{_STAND_INS}:RunDisabled"},
    "wandb.sdk.lib.config_util": {"ConfigError": "runstream.exceptions:ConfigError"},
    "wandb.sdk.lib.disabled": {"RunDisabled": f"{_STAND_INS}:RunDisabled"},
    "wandb.sdk.lib.paths": {name: f"{_STAND_INS}:{name}" for name in ("StrPath", "FilePathStr", "LogicalPath")},
    "wandb.sdk.lib.printer": {},
    "wandb.sdk.lib.runid": {"generate_id": f"{_STAND_INS}:generate_id"},
    "wandb.sdk.lib.telemetry": {"context": f"{_STAND_INS}:telemetry_context"},
    "wandb.sdk.wandb_alerts": {"AlertLevel": "runstream.tracking.run.alert:AlertLevel"},
    "wandb.sdk.wandb_config": {"Config": "runstream.tracking.config.config:Config"},
    "wandb.sdk.wandb_init": {"init": "runstream.tracking.startup.initialize:init"},
    "wandb.sdk.wandb_run": {"Run": "runstream.tracking.run.run:Run", "finish": "runstream:finish"},
    "wandb.sdk.wandb_settings": {"Settings": "runstream.settings:Settings"},
    "wandb.sdk.wandb_summary": {"Summary": "runstream.tracking.summary.summary:Summary"},
    "wandb.sklearn": "runstream.integration.sklearn",
    "wandb.tensorboard": "runstream.tensorboard",
    "wandb.util": _STAND_INS,
    "wandb.wandb_run": {"Run": "runstream.tracking.run.run:Run"},
    "wandb.xgboost": "runstream.integration.xgboost",
}
