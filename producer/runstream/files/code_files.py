"""The source files of a program: which files below a folder are logged as code."""

from __future__ import annotations

import inspect
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Folders of W&B, and run folders, relative to the root.
_OWN_FOLDERS = re.compile(r"\.?wandb/|(.*/)?runstream/run-[^/]*/")


def is_code(path: str) -> bool:
    """Return whether a file is logged by default: Python, requirements.txt, or a Dockerfile."""
    name = os.path.basename(path)  # noqa: PTH119 - a text
    return name.endswith(".py") or name == "requirements.txt" or name.startswith("Dockerfile")


def is_own(path: str, root: str) -> bool:
    """Return whether a file is left out by default: in ``wandb/`` or ``.wandb/`` of the root, or in a run folder."""
    return _OWN_FOLDERS.match(os.path.relpath(path, root)) is not None


def code_files(root: str, include: Callable[..., Any], exclude: Callable[..., Any]) -> Iterator[str]:
    """Yield the absolute paths of the files below a folder that one function includes and the other does not exclude.

    Each is called with the path, and with the root if it has a second parameter. Links to folders are not followed.
    """
    root = os.path.abspath(root)  # noqa: PTH100 - a text, of which links are kept
    includes, excludes = _with_root(include), _with_root(exclude)
    for folder, folders, names in os.walk(root):
        folders.sort()
        folders[:] = (
            [name for name in folders if not is_own(f"{folder}/{name}/x", root)] if exclude is is_own else folders
        )
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118
            if includes(path, root) and not excludes(path, root):
                yield path


def relative_program(program: str) -> str:
    """Return the path of a program relative to the current folder, or its name if it is elsewhere."""
    try:
        path = os.path.relpath(program) if program else ""
    except OSError:  # the current folder was deleted
        path = ".."
    return os.path.basename(program) if path.startswith("..") else path  # noqa: PTH119 - a text


def _with_root(function: Callable[..., Any]) -> Callable[[str, str], Any]:
    """Return a function of path and root that calls one with one or two parameters."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a built-in
        parameters = {}  # type: ignore[assignment]
    return function if len(parameters) == 2 else lambda path, _: function(path)  # noqa: PLR2004
