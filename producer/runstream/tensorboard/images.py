"""Images in event files: values for rows, and files of the run whose names follow from the content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from runstream.files.media_names import media_path

if TYPE_CHECKING:
    from collections.abc import Callable

#: The first bytes of the formats in which images are stored.
_FORMATS = {b"\x89PNG": "png", b"GIF8": "gif", b"\xff\xd8\xff": "jpg"}


class ImageFile(NamedTuple):
    """A file of the run: its name, and the encoded image."""

    path: str
    data: bytes


@dataclass(slots=True)
class EventImages:
    """Makes the values of images, and keeps their files until they are taken.

    ``key`` returns the name of a value for its tag. An image that is read again has the same file.
    """

    key: Callable[[str], str] = str
    _files: list[ImageFile] = field(default_factory=list)

    def __call__(self, tag: str, step: int, strings: list[bytes]) -> dict[str, Any]:
        """Return the value of a row for width, height and encoded images."""
        size = {name: int(text) for name, text in zip(("width", "height"), strings, strict=False) if text[:9].isdigit()}
        found = [self._image(tag, step, data) | size for data in strings[2:]]
        if len(found) == 1:
            return {"_type": "image-file", **found[0]}
        shared = {"format": found[0]["format"] if found else "png", **size}
        return {"_type": "images/separated", "count": len(found), "filenames": [one["path"] for one in found], **shared}

    def taken(self) -> list[ImageFile]:
        """Return the files of the values since the last call."""
        files, self._files = self._files, []
        return files

    def _image(self, tag: str, step: int, data: bytes) -> dict[str, Any]:
        content = hashlib.sha256(data).hexdigest()
        extension = next((name for start, name in _FORMATS.items() if data.startswith(start)), "png")
        path = media_path("images", self.key(tag), step, extension, content[:20])
        self._files.append(ImageFile(path, data))
        return {"path": path, "sha256": content, "size": len(data), "format": extension}
