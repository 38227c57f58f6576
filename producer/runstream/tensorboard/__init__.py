"""Making rows of what is written for TensorBoard: ``init(sync_tensorboard=True)``, or :func:`patch`.

The training process only notes where event files are written. A process of the shipper's reads them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.tracking.run.run import Run

__all__ = ["patch", "unpatch"]


def patch(
    save: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
    tensorboard_x: bool | None = None,  # noqa: FBT001
    pytorch: bool | None = None,  # noqa: FBT001
    root_logdir: str | Path = "",
) -> None:
    """Make rows of what is written for TensorBoard from now on, in the active run and in later ones.

    Args:
        save: Means nothing yet: event files come with files and artifacts.
        tensorboard_x: Means nothing: any writer is found.
        pytorch: Means nothing.
        root_logdir: Every event file that is written below this folder is read, whoever writes it, and the folders
            below it are the first part of the names. Without it, the folders of the writers that this process makes.
    """
    from runstream.tensorboard.following import FOLLOWING  # noqa: PLC0415 (most programs never need it)

    del save, tensorboard_x, pytorch
    FOLLOWING.patch(os.path.abspath(root_logdir) if root_logdir else "")  # noqa: PTH100 - a link stays one


def unpatch() -> None:
    """Take back :func:`patch`; runs that were begun with ``sync_tensorboard`` go on."""
    from runstream.tensorboard.following import FOLLOWING  # noqa: PLC0415

    FOLLOWING.unpatch()


def begin(run: Run) -> None:
    """Follow the writers of this process for a run, if that is wanted."""
    if run.settings.sync_tensorboard or _MODULE in sys.modules:
        from runstream.tensorboard.following import FOLLOWING  # noqa: PLC0415

        FOLLOWING.begin(run)


def end(run: Run) -> None:
    """Have what was written reach its files: the run is about to end."""
    if _MODULE in sys.modules:
        from runstream.tensorboard.following import FOLLOWING  # noqa: PLC0415

        FOLLOWING.end(run)


_MODULE = "runstream.tensorboard.following"
