"""Values that are too large for a message: the file of the run that holds one, and the reference that replaces it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.files.media_names import media_path
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Sequence

#: ``_type`` of a reference, and the folder of such files within ``media/``.
VALUE_FILE, _FOLDER = "value-file", "values"


@dataclass(frozen=True, slots=True)
class ValueFile:
    """A file with a value, as text or JSON; ``name`` is its path in the run."""

    name: str
    data: bytes
    media_type: str

    @classmethod
    def of(cls, path: Sequence[str], value: Any, place: int | str, token: str = "") -> ValueFile:
        """Return a new file for a value; ``place`` is the step of its row, or what it is changed in."""
        is_text = isinstance(value, str)
        data = (value if is_text else values.dump(value)).encode(errors="backslashreplace")
        name = media_path(_FOLDER, "/".join(path), place, "txt" if is_text else "json", token)
        return cls(name, data, "text/plain" if is_text else "application/json")

    @classmethod
    def of_row(cls, row: tuple[bytes, int, int], path: Sequence[str], value: Any) -> ValueFile:
        """Return the file for a value of a row, which is given by writer, seq and step: always the same."""
        writer, seq, step = row
        token = hashlib.sha256(b"%b %d %b" % (writer, seq, repr(path).encode())).hexdigest()[:20]
        return cls.of(path, value, step, token)

    @property
    def reference(self) -> dict[str, Any]:
        """What replaces the value."""
        return {"_type": VALUE_FILE, "path": self.name, "size": len(self.data)}
