"""Rotation of logs that other processes hold open."""

from __future__ import annotations

import shutil
from pathlib import Path

#: A log of this size is rotated.
LARGEST_BYTES = 10 * 1024 * 1024
#: Number of older logs that are kept.
KEPT = 3


def rotate(log: Path, *, largest: int = LARGEST_BYTES, kept: int = KEPT) -> None:
    """Copy a large log to ``NAME.1`` (``.1`` to ``.2`` and so on) and truncate it.

    Services open their log for appending, so they continue at its new start. A line that is written between copying and
    truncating is lost.
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
