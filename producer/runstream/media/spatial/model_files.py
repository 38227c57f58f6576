"""Files of models and molecules: paths and open files, whose type their name or an argument says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.media.content import BytesContent, FileContent

if TYPE_CHECKING:
    from collections.abc import Collection

    from runstream.media.content import Content


def content_of(given: Any, types: Collection[str], file_type: str | None, what: str) -> tuple[str, Content]:
    """Return the type of a path or an open file, and its content; raises ValueError for an unknown type, and OSError.

    Of an open file that has a name, the whole file is the content.
    """
    path = given if isinstance(given, str | os.PathLike) else getattr(given, "name", None)
    if isinstance(path, str | os.PathLike):
        name = os.fspath(path)
        found = next((kind for kind in sorted(types) if name.lower().endswith(f".{kind}")), None)
        if found is None:
            raise ValueError(f"Invalid file {name!r} for {what}: expected the extension {', '.join(sorted(types))}")
        return found, FileContent.existing(Path(name))
    if file_type not in types:
        raise ValueError(
            f"Invalid file_type {file_type!r} for {what}: an open file without a name needs one of "
            f"{', '.join(sorted(types))}"
        )
    if hasattr(given, "seek"):
        given.seek(0)
    data = given.read()
    return str(file_type), BytesContent(data.encode() if isinstance(data, str) else bytes(data))
