"""Getting and setting a run's names in the environment, as ``wandb.env`` does."""

from __future__ import annotations

import os
from collections.abc import Callable, MutableMapping

Environment = MutableMapping[str, str]

#: Constants whose value is not their name after ``WANDB_``.
_OTHER_VALUES = {
    "DISABLE_SSL": "WANDB_INSECURE_DISABLE_SSL",
    "IGNORE": "WANDB_IGNORE_GLOBS",
    "USE_V1_ARTIFACTS": "_WANDB_USE_V1_ARTIFACTS",
}
_CONSTANTS = frozenset(
    [
        "AGENT_DISABLE_FLAPPING",
        "AGENT_KILL_DELAY",
        "AGENT_MAX_INITIAL_FAILURES",
        "AGENT_REPORT_INTERVAL",
        "ANONYMOUS",
        "API_KEY",
        "APP_URL",
        "ARGS",
        "ARTIFACT_DIR",
        "ARTIFACT_FETCH_FILE_URL_BATCH_SIZE",
        "BASE_URL",
        "CACHE_DIR",
        "CONFIG_DIR",
        "CONFIG_PATHS",
        "CORE_DEBUG",
        "CRASH_NOSYNC_TIME",
        "CREDENTIALS_FILE",
        "DATA_DIR",
        "DEBUG",
        "DESCRIPTION",
        "DIR",
        "DISABLE_CODE",
        "DISABLE_GIT",
        "DISABLE_SSL",
        "DOCKER",
        "ENABLE_DCGM_PROFILING",
        "ENTITY",
        "ERROR_REPORTING",
        "FILE_PUSHER_TIMEOUT",
        "GIT_COMMIT",
        "GIT_REMOTE_URL",
        "GIT_ROOT",
        "HOST",
        "HTTP_TIMEOUT",
        "IDENTITY_TOKEN_FILE",
        "IGNORE",
        "INITED",
        "INIT_TIMEOUT",
        "JOB_TYPE",
        "JUPYTER",
        "LAUNCH_QUEUE_ENTITY",
        "LAUNCH_QUEUE_NAME",
        "LAUNCH_TRACE_ID",
        "MAGIC",
        "MODE",
        "NAME",
        "NOTEBOOK_NAME",
        "NOTES",
        "ORGANIZATION",
        "PROGRAM",
        "PROJECT",
        "QUIET",
        "RESUME",
        "RUN_DIR",
        "RUN_GROUP",
        "RUN_ID",
        "RUN_STORAGE_ID",
        "SAVE_CODE",
        "SERVICE",
        "SHOW_RUN",
        "SILENT",
        "SWEEP_ID",
        "SWEEP_PARAM_PATH",
        "TAGS",
        "USERNAME",
        "USER_EMAIL",
        "USE_V1_ARTIFACTS",
    ]
)
#: Functions ``get_NAME``, which return the text of a variable.
_GETTERS = frozenset(
    [
        "agent_kill_delay",
        "agent_max_initial_failures",
        "agent_report_interval",
        "app_url",
        "args",
        "artifact_dir",
        "artifact_fetch_file_url_batch_size",
        "base_url",
        "cache_dir",
        "config_paths",
        "crash_nosync_time",
        "credentials_file",
        "data_dir",
        "description",
        "dir",
        "docker",
        "entity",
        "error_reporting",
        "file_pusher_timeout",
        "http_timeout",
        "ignore",
        "launch_queue_entity",
        "launch_queue_name",
        "launch_trace_id",
        "magic",
        "organization",
        "project",
        "run",
        "show_run",
        "tags",
        "use_v1_artifacts",
        "user_email",
        "username",
    ]
)
#: Functions that return whether a variable is true.
_FLAGS = {
    "core_debug": "WANDB_CORE_DEBUG",
    "dcgm_profiling_enabled": "WANDB_ENABLE_DCGM_PROFILING",
    "disable_git": "WANDB_DISABLE_GIT",
    "error_reporting_enabled": "WANDB_ERROR_REPORTING",
    "is_debug": "WANDB_DEBUG",
    "is_quiet": "WANDB_QUIET",
    "is_silent": "WANDB_SILENT",
    "should_save_code": "WANDB_SAVE_CODE",
    "ssl_disabled": "WANDB_INSECURE_DISABLE_SSL",
}
_TRUE, _FALSE = frozenset({"y", "yes", "t", "true", "on", "1"}), frozenset({"n", "no", "f", "false", "off", "0"})


def set_project(value: str, env: Environment | None = None) -> None:
    """Set the project of later runs; an empty one is ``uncategorized``."""
    _environment(env)["WANDB_PROJECT"] = value or "uncategorized"


def set_entity(value: str, env: Environment | None = None) -> None:
    """Set the entity of later runs."""
    _environment(env)["WANDB_ENTITY"] = value


def is_offline(env: Environment | None = None) -> bool:
    """Return whether the mode in the environment is offline."""
    return _environment(env).get("WANDB_MODE", "").lower() in {"offline", "dryrun"}


def immutable_keys() -> list[str]:
    """Return the variables that W&B does not let a program change after its start."""
    names = "DIR ENTITY PROJECT API_KEY IGNORE DISABLE_CODE DISABLE_GIT DOCKER MODE BASE_URL ERROR_REPORTING".split()  # noqa: SIM905
    return [_variable(name) for name in names]


def strtobool(val: str) -> bool:
    """Return the truth of a text such as ``yes`` or ``0``; raises ValueError for another."""
    text = val.lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(f"Invalid truth value {val!r}: expected true or false")
    return text in _TRUE


def __getattr__(name: str) -> str | Callable[..., str | None] | Callable[..., bool]:
    if name in _CONSTANTS:
        return _variable(name)
    if name.startswith("get_") and name.removeprefix("get_") in _GETTERS:
        return _getter(_variable(name.removeprefix("get_").upper()))
    if name in _FLAGS:
        return _flag(_FLAGS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_CONSTANTS, *(f"get_{name}" for name in _GETTERS), *_FLAGS})


def _variable(name: str) -> str:
    return _OTHER_VALUES.get(name, f"WANDB_{name}")


def _getter(variable: str) -> Callable[..., str | None]:
    def get(default: str | None = None, env: Environment | None = None) -> str | None:
        return _environment(env).get(variable, default)

    return get


def _flag(variable: str) -> Callable[..., bool]:
    def is_set(default: str | None = None, env: Environment | None = None) -> bool:
        return _environment(env).get(variable, default or "").lower() in _TRUE

    return is_set


def _environment(env: Environment | None) -> Environment:
    return os.environ if env is None else env
