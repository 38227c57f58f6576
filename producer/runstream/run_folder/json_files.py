"""Reading JSON files that may be damaged, and replacing them atomically."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read_json(path: Path, load: Callable[[str], Any] = json.loads) -> dict[str, Any] | None:
    """Return the object in a JSON file, or None if the file is missing, damaged, or holds anything but an object."""
    try:
        data = load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def write_json(path: Path, data: object, *, durable: bool = False) -> None:
    """Replace a JSON file atomically; with ``durable``, it survives a power cut once this returns."""
    write_file(path, json.dumps(data, separators=(",", ":")).encode(), durable=durable)


def write_file(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Replace a file atomically; with ``durable``, it survives a power cut once this returns.

    Raises OSError if the file cannot be written. The previous file, if any, is then still in place, unless only the
    last step, the fsync of the folder, failed.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(descriptor)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # on a full disk, even a partial draft takes up space
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
