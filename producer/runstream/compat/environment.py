"""Getting and setting a run's names in the environment, as ``wandb.env`` does."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

Environment = MutableMapping[str, str]

PROJECT = "WANDB_PROJECT"
ENTITY = "WANDB_ENTITY"
MODE = "WANDB_MODE"
RUN_ID = "WANDB_RUN_ID"
NAME = "WANDB_NAME"
DIR = "WANDB_DIR"
API_KEY = "WANDB_API_KEY"
SILENT = "WANDB_SILENT"


def get_project(default: str | None = None, env: Environment | None = None) -> str | None:
    """Return the project in the environment."""
    return _environment(env).get(PROJECT, default)


def get_entity(default: str | None = None, env: Environment | None = None) -> str | None:
    """Return the entity in the environment."""
    return _environment(env).get(ENTITY, default)


def set_project(value: str, env: Environment | None = None) -> None:
    """Set the project of later runs; an empty one is ``uncategorized``."""
    _environment(env)[PROJECT] = value or "uncategorized"


def set_entity(value: str, env: Environment | None = None) -> None:
    """Set the entity of later runs."""
    _environment(env)[ENTITY] = value


def _environment(env: Environment | None) -> Environment:
    return os.environ if env is None else env
