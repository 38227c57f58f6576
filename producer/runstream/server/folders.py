"""Per-user folders, by the XDG rules: the one place that names them, for the client and the local stack alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

# By class: on every Unix the same folders, also on macOS.
from platformdirs.unix import Unix

if TYPE_CHECKING:
    from collections.abc import Mapping


def stack_folder(environ: Mapping[str, str]) -> Path:
    """Return the data folder of the local stack: ``RUNSTREAM_DATA_DIR``, else the default one of the user."""
    if folder := environ.get("RUNSTREAM_DATA_DIR"):
        return Path(folder).expanduser()
    return Path(Unix("runstream", appauthor=False).user_data_dir) / "default"


def cache_folder() -> Path:
    """Return the folder for files that can be fetched again: ``RUNSTREAM_CACHE_DIR``, else that of the user."""
    if folder := os.environ.get("RUNSTREAM_CACHE_DIR"):
        return Path(folder).expanduser().absolute()
    return Path(Unix("runstream", appauthor=False).user_cache_dir)


def config_folder() -> Path:
    """Return the folder of the user's settings."""
    return Path(Unix("runstream", appauthor=False).user_config_dir)
