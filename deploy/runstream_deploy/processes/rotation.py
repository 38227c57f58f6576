"""Rotation of logs that other processes hold open."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: A log that has grown to this many bytes is put aside.
LARGEST_BYTES = 10 * 1024 * 1024
#: Older logs that are kept.
KEPT = 3


def rotate(log: Path, *, largest: int = LARGEST_BYTES, kept: int = KEPT) -> None:
    """Copy a large log to ``NAME.1`` (``.1`` to ``.2`` and so on) and empty it in place.

    Services append to their log, so they go on at its new start; a line written between copy and emptying is lost.
    """
    if not log.exists() or log.stat().st_size < largest:
        return
    for number in range(kept, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    with log.open("r+b") as file:
        file.truncate(0)
