"""Syncing TensorBoard event files to runs: ``init(sync_tensorboard=True)``, or :func:`patch`.

The training process only records where event files are written. A process started by the shipper reads them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runstream.tensorboard.summary_writers import SUMMARY_WRITERS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["patch", "unpatch"]


def patch(
    save: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    tensorboard_x: bool | None = None,  # noqa: FBT001
    pytorch: bool | None = None,  # noqa: FBT001
    root_logdir: str | Path = "",
) -> None:
    """Sync event files to the active runs and to later ones.

    Args:
        save: Whether the event files become files of the run, which are stored when it ends.
        tensorboard_x: Ignored; every kind of writer is found.
        pytorch: Ignored.
        root_logdir: Read every event file below this folder, no matter which process writes it; names of values begin
            with the path below it. By default, the event files that this process opens are read.
    """
    del tensorboard_x, pytorch
    root = os.path.abspath(root_logdir) if root_logdir else ""  # noqa: PTH100 - keeps links
    SUMMARY_WRITERS.patch(root, save=save)


def unpatch() -> None:
    """Undo :func:`patch`; runs that are synced already stay so."""
    SUMMARY_WRITERS.unpatch()
