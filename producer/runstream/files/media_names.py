"""Names of the media files of a run, made of the keys that they are logged under."""

from __future__ import annotations

import os
import re
from functools import lru_cache

from runstream_schemas.stored.names import PART_BYTES

#: Characters that a name of a file cannot have, or that other systems do not allow in it.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\\:*?"<>|]')
#: Bytes of a part of a key in the name of a file: the last part also has the step, a random id and the extension.
_PART = PART_BYTES - 75
#: Bytes of a key in the name of a file; the folders and the rest of the name fit into the limit as well.
_KEY = 700


def media_path(folder: str, key: str, step: int | str, extension: str, token: str = "") -> str:
    """Return a path in a run for a media file of a key, a new one without a token: slashes separate folders."""
    return f"media/{folder}/{_safe(key)}_{step}_{token or os.urandom(10).hex()}.{extension}"


@lru_cache(maxsize=256)
def _safe(key: str) -> str:
    parts = [part for part in _UNSAFE.sub("_", key).split("/") if part not in {"", ".", ".."}]
    return _shortened("/".join(_shortened(part, _PART) for part in parts), _KEY) or "media"


def _shortened(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore").rstrip("/")
