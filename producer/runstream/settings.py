"""The settings of a run: arguments, then RUNSTREAM_*, then WANDB_* where the meaning is the same, then files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from runstream.exceptions import UsageError
from runstream.run_names import validate_tags
from runstream.server.discovery import same_origin
from runstream.server.folders import config_folder
from runstream_schemas.topics import DEFAULT_PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Settings(BaseModel):
    """How a run is recorded and delivered. Frozen; a setting with a name of W&B's has the meaning that it has there.

    Unknown names are ignored with a warning.

    Raises:
        ValueError: A value is not valid for its setting.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=True, defer_build=True)

    #: Account or team; None for the server's default.
    entity: str | None = None
    project: str = DEFAULT_PROJECT
    run_id: str | None = None
    run_name: str | None = None
    run_notes: str | None = None
    run_tags: tuple[str, ...] = ()
    run_group: str | None = None
    run_job_type: str | None = None
    sweep_id: str | None = None
    mode: Literal["online", "offline", "disabled", "shared"] = "online"
    #: Whether config values may be changed without an error.
    allow_val_change: bool = False
    #: Config files that ``init(config=...)`` overrides; later ones override earlier ones.
    config_paths: tuple[str, ...] = ()
    #: Config file of a launcher; overrides ``init(config=...)``.
    launch_config_path: str | None = None
    #: Config file of a sweep; overrides all others, and its values cannot be changed.
    sweep_param_path: str | None = None
    #: What ``init()`` does with an active run: True is ``finish_previous``, False ``return_previous``.
    reinit: Literal["default", "finish_previous", "return_previous", "create_new"] | bool = "default"
    #: Whether to resume an earlier run of this id. ``allow``: if it exists; ``must``: fail if it does not; ``never``:
    #: fail if it does; ``auto``: if the latest run of this machine and folder did not finish.
    resume: Literal["allow", "must", "never", "auto"] | None = None
    #: ``ID?_step=N``: resume a run after a step; its later rows are hidden.
    resume_from: str | None = None
    #: ``ID?_step=N``: start a new run with the rows of another up to a step.
    fork_from: str | None = None
    #: Seconds that ``init()`` waits for an answer of the server that ``resume`` needs.
    init_timeout: float = Field(default=10.0, gt=0)
    #: Size of the cache of downloaded files in gigabytes: beyond, those not used for the longest time are deleted.
    cache_limit_gb: float = Field(default=100.0, ge=0)
    #: Save the file of the program, as ``code/NAME``.
    save_code: bool = False
    #: Log what is written to TensorBoard event files.
    sync_tensorboard: bool = False
    #: Raise KeyboardInterrupt from ``log()`` when a stop of the run is requested.
    raise_on_stop: bool = False
    #: Parent of the folder ``runstream``, which holds the run folders; None for the current folder.
    root_dir: Path | None = None
    #: URL of the server; None for the local stack.
    base_url: str | None = None
    #: Key for that server; never sent to another one.
    api_key: str | None = Field(default=None, repr=False)
    #: Print nothing.
    silent: bool = False
    #: Print URLs and warnings only.
    quiet: bool = False
    #: ``wrap`` captures what is written to ``sys.stdout`` and ``sys.stderr``.
    console: Literal["auto", "wrap", "off"] = "auto"
    #: Raise an error for a value that would be left out or replaced with a note, and for a call that is not supported.
    strict: bool = False
    #: What ``log()`` does when the disk is full.
    disk: Literal["drop", "block", "raise"] = "drop"
    #: Seconds that ``finish()`` waits for delivery, ``inf`` for no limit. None for 60, or, in a container or a Slurm
    #: step, for as long as delivery makes progress.
    finish_timeout_s: float | None = Field(default=None, ge=0)
    #: Seconds that ``init()`` waits for an answer of the server.
    connect_timeout_s: float = Field(default=0.5, gt=0)
    #: Do not record where the run comes from: host, program, arguments, Git, packages and the rest of the metadata.
    x_disable_meta: bool = False
    #: Do not record host, processors and GPUs.
    x_disable_machine_info: bool = False
    #: Record the arguments of the program.
    x_save_arguments: bool = True
    #: Record the installed packages and their versions.
    x_save_requirements: bool = True
    #: Do not record commit, branch, remote and uncommitted changes.
    disable_git: bool = False
    #: Name of the remote whose URL is recorded.
    git_remote: str = "origin"
    #: Commit and URL of the remote, where the repository is not at hand, as in a container.
    git_commit: str | None = None
    git_remote_url: str | None = None
    #: Do not sample system metrics.
    x_disable_stats: bool = False
    #: Seconds between samples of system metrics.
    x_stats_sampling_interval: float = Field(default=15.0, gt=0)
    #: Label of this process among the writers of a shared run; None for its rank, if it has one.
    x_label: str | None = None
    #: Whether this process is the primary of a shared run; None if rank 0 is.
    x_primary: bool | None = None
    #: Whether the end of this process affects the state of the run.
    x_update_finish_state: bool = True
    #: Whose end is the end of a shared run: its primary's, or that of the last of its writers.
    x_ends_with: Literal["primary", "all"] = "primary"
    #: Read the signal that ended the process from the kernel, where it is available.
    identify_exit_signal: bool = True

    @model_validator(mode="before")
    @classmethod
    def _ignore_unknown(cls, given: Any) -> Any:
        for name in sorted(set(given) - set(cls.model_fields)) if isinstance(given, dict) else ():
            sys.stderr.write(f"runstream: WARNING Unknown setting {name!r} is ignored\n")
        return given

    @field_validator("run_tags", mode="before")
    @classmethod
    def _validate_tags(cls, value: Any) -> Any:
        return () if value is None else validate_tags(value)

    @field_validator("config_paths", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("mode", "console", mode="before")
    @classmethod
    def _translate_wandb_value(cls, value: Any) -> Any:
        return _WANDB_VALUES.get(value, value) if isinstance(value, str) else value

    @field_validator("resume", mode="before")
    @classmethod
    def _translate_resume(cls, value: Any) -> Any:
        return {True: "auto", False: None}[value] if isinstance(value, bool) else value or None


#: A variable is named after its setting, except these.
_VARIABLE_NAMES = {
    "run_name": "NAME",
    "run_notes": "NOTES",
    "run_tags": "TAGS",
    "run_job_type": "JOB_TYPE",
    "root_dir": "DIR",
    "base_url": "URL",
}
#: Settings that W&B has no variable for, or one with another meaning; URL and key name another server there.
_NOT_READ_FROM_WANDB = """
    allow_val_change api_key base_url cache_limit_gb connect_timeout_s disk finish_timeout_s fork_from
    identify_exit_signal raise_on_stop resume_from strict x_ends_with
""".split()  # noqa: SIM905 - easier to read than a list of literals
#: Settings whose variable holds a list, separated by commas.
_LISTS = frozenset({"run_tags", "config_paths"})
#: Settings that are paths, of any bytes.
_PATHS = frozenset({"root_dir", "config_paths", "launch_config_path", "sweep_param_path"})
#: Values that W&B accepts, or accepted, and their equivalents.
_WANDB_VALUES = {"dryrun": "offline", "dry-run": "offline", "run": "online"} | dict.fromkeys(
    ("redirect", "wrap_raw", "wrap_emu"), "wrap"
)


def _from_environment() -> dict[str, Any]:
    """Return the settings that have an environment variable; an empty one is not set."""
    return {name: value for name in Settings.model_fields if (value := _from_variable(name)) is not None}


def _from_variable(setting: str) -> Any:
    name = _VARIABLE_NAMES.get(setting, setting.upper())
    variables = [f"RUNSTREAM_{name}", *([] if setting in _NOT_READ_FROM_WANDB else [f"WANDB_{name}"])]
    value = next(filter(None, map(os.environ.get, variables)), None)
    if value is not None and setting not in _PATHS:
        value = value.encode(errors="backslashreplace").decode()  # a variable may hold bytes that are not UTF-8
    if value is not None and setting in _LISTS:
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import tomllib  # noqa: PLC0415 - only with a file

    return tomllib.loads(path.read_text(encoding="utf-8"))


def _layered(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all sources."""
    files = (Path("runstream.toml"), config_folder() / "config.toml")
    layers = [arguments, _from_environment(), *map(_from_file, files)]
    found = {name: value for layer in reversed(layers) for name, value in layer.items()}
    return found if _key_belongs_to_server(layers) else {**found, "api_key": None}


def _key_belongs_to_server(layers: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the first API key may be sent to the first URL; the first layer takes precedence.

    A key belongs to the URL from the same source. Without one it belongs to the URL in force, unless that is only named
    by the file of the current folder, which may come from another person.
    """
    of_key = next((layer for layer in layers if layer.get("api_key")), None)
    of_url = next((layer for layer in layers if layer.get("base_url")), None)
    if of_key is None or of_url is None or of_key is of_url:
        return True
    if of_key.get("base_url"):
        return same_origin(str(of_key["base_url"]), str(of_url["base_url"]))
    return of_url is not layers[2] or of_key is layers[0]


def checked_settings(arguments: Mapping[str, Any]) -> Settings:
    """Return :func:`resolve` of the arguments for a command or a reader; every error is a UsageError."""
    try:
        return resolve(arguments)
    except ValueError as error:
        raise UsageError(str(error)) from None


def server_environ(environ: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    """Return an environment that names the server of the settings, and only a key that belongs to it."""
    key = {} if settings.api_key is None else {"RUNSTREAM_API_KEY": settings.api_key}
    if settings.base_url is None:
        return {**environ, **key}
    others = {name: value for name, value in environ.items() if name != "RUNSTREAM_API_KEY"}
    return {**others, "RUNSTREAM_URL": settings.base_url, **key}


def resolve(arguments: Mapping[str, Any]) -> Settings:
    """Return the settings in force; those that are None in the arguments are read from the other sources.

    Raises ValueError if a value is not valid for its setting, UsageError if a settings file is not valid TOML.
    """
    try:
        return Settings(**_layered({name: value for name, value in arguments.items() if value is not None}))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        # As in W&B a ValueError, not an Error.
        raise ValueError(f"Invalid setting {name}={_shown(first['input'])}: {first['msg']}") from None
    except ValueError as error:
        files = f"runstream.toml or {config_folder() / 'config.toml'}"
        raise UsageError(f"Invalid settings file ({files}): {error}") from None


def _shown(value: Any) -> str:
    """Return the representation of a value that may be anything; its type if it has none."""
    try:
        return f"{value!r:.200}"
    except Exception:  # noqa: BLE001 - of a foreign class
        return f"<{type(value).__name__}>"
