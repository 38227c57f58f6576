"""Where a run is recorded: in its folder, else in a temporary one, else nowhere."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runstream.run_folder.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.run_folder.descriptions import RunInfo

Recording = TypeVar("Recording")


def record_in_new_folder(
    root: Path, info: RunInfo, begin: Callable[[RunFolder], Recording], warn: Callable[[str], None]
) -> Recording:
    """Return what ``begin`` returns for a new run folder in ``root/runstream``.

    If the folder or the first files in it cannot be written, a temporary folder is used, with a warning that names the
    folder, the reason and the temporary folder. Raises OSError if that fails too.
    """
    try:
        return _begin(root, info, begin)
    except OSError as error:
        problem = error
    place = Path(tempfile.mkdtemp(prefix="runstream-"))
    try:
        recording = _begin(place, info, begin)
    except OSError:
        shutil.rmtree(place, ignore_errors=True)
        raise
    reason = problem.strerror or str(problem)
    warn(f"Cannot create a run folder in {root / 'runstream'} ({reason}): recording to {place / 'runstream'} instead")
    return recording


def _begin(root: Path, info: RunInfo, begin: Callable[[RunFolder], Recording]) -> Recording:
    try:
        folder = RunFolder.create(root, info)
    except ValueError as error:  # a name that no folder can have
        raise OSError(errno.EINVAL, str(error)) from error
    try:
        return begin(folder)
    except OSError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def current_folder() -> Path:
    """Return the current folder; if it was deleted, a path in which nothing can be created."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.curdir)


def temporary_folder() -> str:
    """Return the folder for temporary files, also if nothing can be written to it."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return "/tmp"  # noqa: S108 - nothing is stored: libraries only need a name
