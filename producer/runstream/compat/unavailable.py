"""Names of W&B that Runstream does not have. They can be imported, and raise an error with the reason when called.

A name that could not be imported would make libraries report that wandb is not installed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from runstream.exceptions import Error, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUTOMATIONS = "Runstream has alerts and consumers instead of automations"
_INTEGRATION = "Runstream does not have this integration; log with run.log()"
_INTERNAL = "it is internal to W&B"
_LAUNCH = "Runstream does not have launch queues"
_ORGANIZATIONS = "Runstream does not have organizations and teams"
_READING = "use runstream.Api(), whose answers are lists, dicts and iterators"
_REPORTS = "Runstream does not have reports"
_SWEEPS = "Runstream does not have sweeps: use Optuna, for example, with one run for each trial"

#: By module: names by the reason why they are not available.
_TABLE: Mapping[str, Mapping[str, str]] = {
    "wandb": {
        _INTEGRATION: "gym jupyter sacred sagemaker_auth tensorflow wandb_torch",
        _INTERNAL: "helper profiler",
    },
    "wandb.apis.public": {
        _AUTOMATIONS: "Automations Integrations SlackIntegrations WebhookIntegrations",
        _INTERNAL: "FILE_FRAGMENT PythonMongoishQueryGenerator QueryGenerator RUN_FRAGMENT",
        _LAUNCH: """
            AgentRuns Job QueuedRun RunQueue RunQueueAccessType RunQueuePrioritizationMode RunQueueResourceType
        """,
        _ORGANIZATIONS: "Member Organization Team",
        _READING: "ConsoleLogLine ConsoleLogs HistoryScan Projects RunNotFoundError",
        _REPORTS: "BetaReport PanelMetricsHelper Reports",
        _SWEEPS: "Sweeps",
    },
    "wandb.errors": {_INTERNAL: "WandbCoreNotAvailableError"},
    "wandb.errors.errors": {_INTERNAL: "WandbCoreNotAvailableError"},
    "wandb.errors.term": {
        _INTERNAL: """
            DynamicBlock ERROR_STRING LOG_STRING NotATerminalError SupportsLeveledLogging WARN_STRING confirm
            dynamic_text terminput wrap_ansi
        """,
    },
    "wandb.integration.diffusers": {_INTEGRATION: "autolog"},
    "wandb.integration.dspy": {_INTEGRATION: "WandbDSPyCallback"},
    "wandb.integration.fastai": {_INTEGRATION: "FastaiError WandbCallback ipython"},
    "wandb.integration.gym": {_INTEGRATION: "GymLib monitor"},
    "wandb.integration.huggingface": {_INTEGRATION: "autolog"},
    "wandb.integration.kfp": {_INTEGRATION: "patch_kfp unpatch_kfp wandb_log"},
    "wandb.integration.lightgbm": {_INTERNAL: "MAXIMIZE_METRICS MINIMIZE_METRICS"},
    "wandb.integration.lightning": {},
    "wandb.integration.metaflow": {_INTEGRATION: "wandb_log wandb_track wandb_use"},
    "wandb.integration.openai": {_INTEGRATION: "autolog"},
    "wandb.integration.prodigy": {_INTEGRATION: "upload_dataset"},
    "wandb.integration.sacred": {_INTEGRATION: "WandbObserver"},
    "wandb.integration.sagemaker": {
        _INTEGRATION: "parse_sm_config parse_sm_secrets sagemaker_auth set_global_settings set_run_id",
    },
    "wandb.integration.tensorboard": {_INTERNAL: "reset_state tf_summary_to_dict"},
    "wandb.integration.tensorflow": {_INTEGRATION: "WandbHook"},
    "wandb.integration.torch": {},
    "wandb.integration.ultralytics": {_INTEGRATION: "WandBUltralyticsCallback add_wandb_callback"},
    "wandb.integration.weave": {
        _INTEGRATION: "RunPath active_run_path build_project_path ensure_version init_weave",
    },
    "wandb.sdk": {_INTERNAL: "helper"},
    "wandb.sdk.launch": {_LAUNCH: "launch launch_add"},
    "wandb.sdk.lib.printer": {_INTERNAL: "new_printer"},
}


class Unavailable:
    """A class or function of W&B that Runstream does not have."""

    #: Why.
    reason = ""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        kind = type(self)
        raise UsageError(f"{kind.__module__}.{kind.__qualname__} is not available: {kind.reason}")


@cache
def reasons(module: str) -> Mapping[str, str]:
    """Return the reasons why names of a module of W&B are not available, by name."""
    return {name: reason for reason, names in _TABLE.get(module, {}).items() for name in names.split()}


@cache
def placeholder(module: str, name: str) -> type:
    """Return what the name of a module refers to; for an error, a class that can be caught and is never raised."""
    attributes = {"__module__": module, "__doc__": f"Not available: {reasons(module)[name]}."}
    if name.endswith("Error"):
        return type(name, (Error,), attributes)
    return type(name, (Unavailable,), {**attributes, "reason": reasons(module)[name]})
