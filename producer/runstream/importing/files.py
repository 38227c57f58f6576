"""The files below a folder: no link to a folder is followed, so that no cycle is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.importing.records import NotImported, StoredFile
from runstream_schemas.stored.names import problem_of_name

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Files that belong to no run, such as those of file managers.
_IGNORED = frozenset({".DS_Store", "Thumbs.db"})


def files_below(folder: Path, prefix: str = "") -> Iterator[StoredFile | NotImported]:
    """Yield the files below a folder with their paths in it, in the order of their names."""
    for parent, folders, names in os.walk(folder, onerror=lambda _: None):
        folders.sort()
        for name in [one for one in folders if Path(parent, one).is_symlink()]:
            yield NotImported("files", f"{_shown(name)} is a link to a folder")
        for name in sorted(set(names) - _IGNORED):
            path = Path(parent, name)
            yield stored_file(prefix + path.relative_to(folder).as_posix(), path)


def stored_file(name: str, path: Path) -> StoredFile | NotImported:
    """Return a file, or why it cannot be a file of a run."""
    if problem := problem_of_name(name):
        return NotImported("files", f"{_shown(name)}: {problem}")
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return NotImported("files", f"{_shown(name)} does not exist, or is a link to nothing")
    if not target.is_file():
        return NotImported("files", f"{_shown(name)} is no regular file")
    if not os.access(target, os.R_OK):
        return NotImported("files", f"{_shown(name)} cannot be read: permission denied")
    return StoredFile(name, target)


def _shown(name: str) -> str:
    return repr(name.encode("utf-8", "backslashreplace").decode())[:200]
