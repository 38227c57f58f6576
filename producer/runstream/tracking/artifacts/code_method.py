"""``run.log_code()``: the source files of a program as an artifact."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from runstream.artifacts.artifact import Artifact
from runstream.files.code_files import code_files, is_code, is_own, relative_program
from runstream_schemas.stored.artifact_names import artifact_name

if TYPE_CHECKING:
    from collections.abc import Callable


def log_code(
    self: Any,
    root: str | os.PathLike[str] | None = ".",
    name: str | None = None,
    include_fn: Callable[..., bool] | None = None,
    exclude_fn: Callable[..., bool] | None = None,
) -> Artifact | None:
    """Log source files as an artifact of type ``code``.

    Args:
        root: The folder whose files, at any depth, are considered, whether or not they are in a repository.
        name: Name of the artifact, by default ``source-PROJECT-PROGRAM``.
        include_fn: Called with the path of a file, and with the root if it has a second parameter: whether to log the
            file. By default, Python files, ``requirements.txt`` and ``Dockerfile*`` are logged.
        exclude_fn: Called likewise: whether to leave the file out. By default, those in ``wandb/`` and run folders are.

    Returns:
        The artifact; None, with a warning, if there is no such file, and for a disabled run.

    Raises:
        ValueError: The name is invalid.
        UsageError: The run is finished.
    """
    if self.disabled:
        return None
    self._recorder.record_config([])  # raises after the end
    warn = self._backend.terminal.warn
    program = str(getattr(sys.modules.get("__main__"), "__file__", None) or "")
    artifact = Artifact(name or artifact_name(f"source-{self.project}-{relative_program(program) or None}"), "code")
    is_empty = True
    folder = "" if root is None else os.fspath(root)
    for path in code_files(folder, include_fn or is_code, exclude_fn or is_own) if folder else ():
        try:
            artifact.add_file(path, os.path.relpath(path, folder))
            is_empty = False
        except (OSError, ValueError) as error:
            warn(f"The file {path!r} is left out of the code: {error}")
    if is_empty:
        warn(f"No source files were found below {folder!r}: no code is logged")
        return None
    logged: Artifact = self.log_artifact(artifact)
    return logged
