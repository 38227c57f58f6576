"""The settings of a run: arguments, then RUNSTREAM_*, then WANDB_* where the meaning is the same, then files."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from runstream.exceptions import UsageError
from runstream.naming import validate_tags
from runstream_schemas.topics import DEFAULT_PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(BaseModel):
    """How a run is tracked. Frozen; names that W&B has mean what they mean there.

    A name that is no setting is left out with a warning.

    Raises:
        ValueError: A value does not fit its setting.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=True)

    #: Account or team; None: as the server says.
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
    #: Whether a config value may change without a word.
    allow_val_change: bool = False
    #: Files whose config lies under that of ``init()``, later ones over earlier ones.
    config_paths: tuple[str, ...] = ()
    #: File with the config that a launcher chose; goes before that of ``init()``.
    launch_config_path: str | None = None
    #: File with the config that a sweep chose; goes before all other, and is locked.
    sweep_param_path: str | None = None
    #: What becomes of an active run when ``init()`` is called: True is ``finish_previous``, False ``return_previous``.
    reinit: Literal["default", "finish_previous", "return_previous", "create_new"] | bool = "default"
    #: Whether an earlier run of this id is carried on: ``allow``: if there is one; ``must``: there is one;
    #: ``never``: there is none; ``auto``: if the latest run of this machine and folder did not end in order.
    resume: Literal["allow", "must", "never", "auto"] | None = None
    #: ``ID?_step=N``: carry on a run from a step; what follows there is hidden.
    resume_from: str | None = None
    #: ``ID?_step=N``: begin a new run with another's rows up to a step.
    fork_from: str | None = None
    #: Longest wait of ``init()``, in seconds, for the answer without which ``resume`` cannot be decided.
    init_timeout: float = Field(default=10.0, gt=0)
    #: Save the code that runs; comes with files and artifacts.
    save_code: bool = False
    #: Make rows of what is written for TensorBoard.
    sync_tensorboard: bool = False
    #: Raise KeyboardInterrupt from ``log()`` where somebody asked for the run to be stopped.
    raise_on_stop: bool = False
    #: Folder in which the folder ``runstream`` with the run folders is made; None: the current one.
    root_dir: Path | None = None
    #: Address of the server; None: the local stack.
    base_url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    #: Print nothing at all.
    silent: bool = False
    #: Print addresses and warnings only.
    quiet: bool = False
    #: ``wrap`` records what is written to ``sys.stdout`` and ``sys.stderr``.
    console: Literal["auto", "wrap", "off"] = "auto"
    #: What ``log()`` does when the disk is full.
    disk: Literal["drop", "block", "raise"] = "drop"
    #: Longest wait of ``finish()`` in seconds, ``inf`` for no limit. None: 60, but in a container or a Slurm step as
    #: long as delivery gets on.
    finish_timeout_s: float | None = Field(default=None, ge=0)
    #: Longest wait of ``init()`` for the server's answer.
    connect_timeout_s: float = Field(default=0.5, gt=0)
    #: No system metrics.
    x_disable_stats: bool = False
    #: Seconds between two samples of system metrics.
    x_stats_sampling_interval: float = Field(default=15.0, gt=0)
    #: Name of this process among the writers of a shared run; None: from its rank, if it has one.
    x_label: str | None = None
    #: Whether this process decides over the state of a shared run; None: rank 0 does.
    x_primary: bool | None = None
    #: Whether the end of this process has a say in the state of the run.
    x_update_finish_state: bool = True
    #: What ends a shared run: the end of its primary, or that of all its writers.
    x_ends_with: Literal["primary", "all"] = "primary"
    #: Look up the signal that ended the process where the kernel tells it.
    identify_exit_signal: bool = True

    @model_validator(mode="before")
    @classmethod
    def _leave_out_the_unknown(cls, given: Any) -> Any:
        for name in sorted(set(given) - set(cls.model_fields)) if isinstance(given, dict) else ():
            sys.stderr.write(f"runstream: WARNING there is no setting {name!r}; it is left out\n")
        return given

    @field_validator("run_tags", mode="before")
    @classmethod
    def _check_tags(cls, value: Any) -> Any:
        return () if value is None else validate_tags(value)

    @field_validator("config_paths", mode="before")
    @classmethod
    def _one_path(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("mode", "console", mode="before")
    @classmethod
    def _by_the_words_of_wandb(cls, value: Any) -> Any:
        return _OF_WANDB.get(value, value) if isinstance(value, str) else value

    @field_validator("resume", mode="before")
    @classmethod
    def _resume_by_a_bool(cls, value: Any) -> Any:
        return {True: "auto", False: None}[value] if isinstance(value, bool) else value or None


#: Environment variables behind RUNSTREAM_ and, where the meaning is the same, behind WANDB_.
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "entity": ("RUNSTREAM_ENTITY", "WANDB_ENTITY"),
    "project": ("RUNSTREAM_PROJECT", "WANDB_PROJECT"),
    "run_id": ("RUNSTREAM_RUN_ID", "WANDB_RUN_ID"),
    "run_name": ("RUNSTREAM_NAME", "WANDB_NAME"),
    "run_notes": ("RUNSTREAM_NOTES", "WANDB_NOTES"),
    "run_tags": ("RUNSTREAM_TAGS", "WANDB_TAGS"),
    "run_group": ("RUNSTREAM_RUN_GROUP", "WANDB_RUN_GROUP"),
    "run_job_type": ("RUNSTREAM_JOB_TYPE", "WANDB_JOB_TYPE"),
    "sweep_id": ("RUNSTREAM_SWEEP_ID", "WANDB_SWEEP_ID"),
    "mode": ("RUNSTREAM_MODE", "WANDB_MODE"),
    "allow_val_change": ("RUNSTREAM_ALLOW_VAL_CHANGE",),
    "config_paths": ("RUNSTREAM_CONFIG_PATHS", "WANDB_CONFIG_PATHS"),
    "launch_config_path": ("RUNSTREAM_LAUNCH_CONFIG_PATH", "WANDB_LAUNCH_CONFIG_PATH"),
    "sweep_param_path": ("RUNSTREAM_SWEEP_PARAM_PATH", "WANDB_SWEEP_PARAM_PATH"),
    "reinit": ("RUNSTREAM_REINIT", "WANDB_REINIT"),
    "resume": ("RUNSTREAM_RESUME", "WANDB_RESUME"),
    "resume_from": ("RUNSTREAM_RESUME_FROM",),
    "fork_from": ("RUNSTREAM_FORK_FROM",),
    "init_timeout": ("RUNSTREAM_INIT_TIMEOUT", "WANDB_INIT_TIMEOUT"),
    "save_code": ("RUNSTREAM_SAVE_CODE",),
    "sync_tensorboard": ("RUNSTREAM_SYNC_TENSORBOARD", "WANDB_SYNC_TENSORBOARD"),
    "raise_on_stop": ("RUNSTREAM_RAISE_ON_STOP",),
    "root_dir": ("RUNSTREAM_DIR", "WANDB_DIR"),
    "base_url": ("RUNSTREAM_URL",),
    "api_key": ("RUNSTREAM_API_KEY",),
    "silent": ("RUNSTREAM_SILENT", "WANDB_SILENT"),
    "quiet": ("RUNSTREAM_QUIET", "WANDB_QUIET"),
    "console": ("RUNSTREAM_CONSOLE", "WANDB_CONSOLE"),
    "disk": ("RUNSTREAM_DISK",),
    "finish_timeout_s": ("RUNSTREAM_FINISH_TIMEOUT_S",),
    "connect_timeout_s": ("RUNSTREAM_CONNECT_TIMEOUT_S",),
    "x_disable_stats": ("RUNSTREAM_X_DISABLE_STATS", "WANDB_X_DISABLE_STATS"),
    "x_stats_sampling_interval": ("RUNSTREAM_X_STATS_SAMPLING_INTERVAL", "WANDB_X_STATS_SAMPLING_INTERVAL"),
    "x_label": ("RUNSTREAM_X_LABEL", "WANDB_X_LABEL"),
    "x_primary": ("RUNSTREAM_X_PRIMARY", "WANDB_X_PRIMARY"),
    "x_update_finish_state": ("RUNSTREAM_X_UPDATE_FINISH_STATE", "WANDB_X_UPDATE_FINISH_STATE"),
    "x_ends_with": ("RUNSTREAM_X_ENDS_WITH",),
    "identify_exit_signal": ("RUNSTREAM_IDENTIFY_EXIT_SIGNAL",),
}
#: Lists, whose items stand between commas in the environment.
_LISTS = frozenset({"run_tags", "config_paths"})
#: Modes of runs and ways to record the console that W&B has, or had, and what they are here.
_OF_WANDB = {"dryrun": "offline", "dry-run": "offline", "run": "online"} | dict.fromkeys(
    ("redirect", "wrap_raw", "wrap_emu"), "wrap"
)


def resolve(arguments: Mapping[str, Any], environ: Mapping[str, str], files: Mapping[str, Any]) -> Settings:
    """Return the settings in force: what an argument leaves at None is looked up further on.

    Raises:
        ValueError: A value does not fit its setting; the message names the setting and what it takes.
    """
    found = dict(files)
    for name, variables in _VARIABLES.items():
        value = next((environ[variable] for variable in variables if environ.get(variable)), None)
        if value is not None:
            found[name] = _items(value) if name in _LISTS else value
    found |= {name: value for name, value in arguments.items() if value is not None}
    try:
        return Settings(**found)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        # As in W&B, a ValueError and not an Error: the value is at fault, not what is done with it.
        raise ValueError(f"setting {name}={found.get(name)!r}: {first['msg']}") from None


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def from_files(environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Return the settings in ``runstream.toml`` of a folder, over those in ``runstream/config.toml`` of the user.

    Raises:
        UsageError: A file is no TOML.
    """
    home = environ.get("XDG_CONFIG_HOME") or os.fspath(Path(environ.get("HOME") or Path.home()) / ".config")
    found: dict[str, Any] = {}
    for path in (Path(home) / "runstream" / "config.toml", folder / "runstream.toml"):
        try:
            found |= tomllib.loads(path.read_text())
        except OSError:
            continue
        except ValueError as error:
            raise UsageError(f"{path} is no valid TOML: {error}") from None
    return found
