"""Where tables and media that are added to an artifact keep their files: under names made of their content."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.artifacts.content import ArtifactFile
from runstream.media.content import ReferenceContent

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.media.base import WBValue
    from runstream.media.content import MediaFile

#: Digits of the hash in the name of a file, as in W&B.
_DIGITS = 20


class ArtifactPlace:
    """Collects the files of a value. ``table`` is the path of the first table: its file describes the value."""

    in_artifact = True
    owner = None

    def __init__(self, table: str = "") -> None:
        self.files: dict[str, bytes] = {}
        #: URLs of contents that the artifact only refers to, by path.
        self.references: dict[str, str] = {}
        self._table = table

    def add(self, file: MediaFile, name: str = "") -> str:
        """Keep a file; return its path in the artifact, which is ``name`` if that is given. Raises OSError."""
        if file.extension == "table.json" and self._table:
            name, self._table = self._table, ""
        if isinstance(file.content, ReferenceContent):
            path = f"media/{file.folder}/{file.digest()[:_DIGITS]}.{file.extension}"
            self.references[path] = file.content.url
            return path
        data = b"".join(file.content.chunks())
        if file.encode:
            digest, data = file.digest(), _encoded(file, data)
        else:
            digest = hashlib.sha256(data).hexdigest()
        path = name or f"media/{file.folder}/{digest[:_DIGITS]}.{file.extension}"
        self.files[path] = data
        return path

    def when_kept(self, then: Callable[[], object]) -> None:
        """Call a function: the files are kept."""
        then()


def files_of(value: WBValue, name: str) -> list[ArtifactFile]:
    """Return the files of a table or a medium: its description, then those that it names by path. Raises OSError."""
    kind = value._log_type  # noqa: SLF001 - of the classes of media
    path = name if name.endswith(f".{kind}.json") else f"{name}.{kind}.json"
    place = ArtifactPlace(path if kind == "table" else "")
    described = value.record(place)
    description = place.files.pop(path, None)
    if description is None:
        if (content := place.files.get(described.get("path", ""))) is not None:
            described = {**described, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        description = json.dumps(described, sort_keys=True).encode()
    found = [ArtifactFile(name, data) for name, data in place.files.items()]
    found += [ArtifactFile(name, ref=url) for name, url in place.references.items()]
    return [ArtifactFile(path, description), *found]


def _encoded(file: MediaFile, data: bytes) -> bytes:
    from runstream.media.encoders import encode  # noqa: PLC0415 - needs the libraries of the extra

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(data)
        encode(file.encode, source, target)
        return target.read_bytes()
