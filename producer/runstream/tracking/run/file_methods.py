"""Methods of a run for its files: :class:`Run` assigns them to its names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runstream.files.saved_files import POLICIES, Selection
from runstream.tracking.run.methods import warn_deprecated

if TYPE_CHECKING:
    from typing import TextIO

_CLOUD = ("s3://", "gs://")


def save(
    self: Any,
    glob_str: str | os.PathLike[str] | None = None,
    base_path: str | os.PathLike[str] | None = None,
    policy: str = "live",
) -> bool | list[str]:
    """Save files to the run: those that exist now and match a pattern.

    The names in the run are the paths relative to ``base_path``. Without one these are relative to the current folder,
    or, if the pattern is absolute, the last folder and the name.

    Args:
        glob_str: A path or Unix pattern, ``**`` for any folders. URLs of cloud storage are left out, with a warning.
        base_path: A folder above the files.
        policy: ``live`` uploads a file now, and again whenever it changes; ``now`` uploads its present content once;
            ``end`` uploads it when the run ends.

    Returns:
        The paths of links to the files in the folder of the run's files. Without arguments (deprecated) True; False
        for a disabled run.

    Raises:
        ValueError: The policy is unknown, or a name in the run would not be below its folder.
        UsageError: The run is finished.
    """
    if self.disabled:
        return False
    if glob_str is None:
        warn_deprecated(self, "save() without arguments", "save(path)")
        return True
    pattern, warn = os.fsdecode(glob_str), self._backend.terminal.warn
    if pattern.startswith(_CLOUD):
        warn(f"{pattern} is a URL of cloud storage, from which run.save() cannot read: nothing is saved")
        return []
    if policy not in POLICIES:
        raise ValueError(f"Invalid policy={policy!r}: expected one of {', '.join(POLICIES)}")
    selection = Selection.of(pattern, None if base_path is None else os.fsdecode(base_path), _current_folder())
    if base_path is None and os.path.isabs(pattern):  # noqa: PTH117 - a pattern
        warn("Saving files without folders but the last: pass base_path to keep more of them", "save without folders")
    self._recorder.record_config([])  # raises after the end
    paths: list[str] = self._backend.encoder.files.saved.save(selection, policy, warn)
    return paths


def restore(
    self: Any,
    name: str,
    run_path: str | None = None,
    replace: bool = False,  # noqa: FBT001, FBT002 - the signature of W&B
    root: str | os.PathLike[str] | None = None,
) -> TextIO | None:
    """Download a file of this or another run, unless it exists, and open it for reading.

    Args:
        name: The name of the file in the run.
        run_path: ``entity/project/id`` of the run; None for this one.
        replace: Download the file even if it exists.
        root: The folder to put it in; None for the folder of this run's files.

    Returns:
        The open file; None if the run is disabled and there is no such file.

    Raises:
        ValueError: The run has no such file, or the name is invalid.
        CommError: The server does not answer.
    """
    from runstream.tracking.run.restoring import restored_file  # noqa: PLC0415 - imports the HTTP client

    folder = self.dir if root is None else root
    return restored_file(name, run_path or self.path, folder, self._settings, replace=replace, only_local=self.disabled)


def _current_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - the argument of a pattern
    except OSError:  # it was deleted
        return "/"
