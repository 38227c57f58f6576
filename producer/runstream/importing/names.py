"""Names of imported runs and projects, and the identities by which an import is recognized."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from runstream.run_names import validate_name
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: What :func:`validate_name` does not accept.
_INVALID = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\#?%:*\"<>|]+")
_DIGEST_LENGTH = 10
_SAMPLED_BYTES = 64 * 1024


def valid_name(what: str, name: str) -> str:
    """Return a name of another tracker as the nearest valid one; ``what`` is project or run id.

    A name that changes gets a digest of the original if it is a run id, so that two runs stay two runs.
    """
    found = _INVALID.sub("-", name).strip(" -") or "imported"
    found = "imported" if set(found) <= {"."} else found
    longest = DEFAULT_LIMITS.name_length
    if what == "run id" and (found != name or len(found) > longest):
        found = f"{found[: longest - _DIGEST_LENGTH - 1]}-{digest(name)[:_DIGEST_LENGTH]}"
    return validate_name(what, found[:longest])


def digest(*parts: str) -> str:
    """Return a digest of texts as hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Return a digest of files that changes when one grows: of their sizes, beginnings and ends. Raises OSError."""
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            size = path.stat().st_size
            found.update(size.to_bytes(8, "little") + file.read(_SAMPLED_BYTES))
            file.seek(max(size - _SAMPLED_BYTES, 0))
            found.update(file.read(_SAMPLED_BYTES))
    return found.hexdigest()


def nested(values: Iterable[tuple[tuple[str, ...], object]], separator: str = ".") -> dict[str, object]:
    """Return values by key path as nested dicts; where a value is in the way of a longer path, its rest is one key."""
    result: dict[str, object] = {}
    for path, value in values:
        place = result
        for index, name in enumerate(path[:-1]):
            below = place.setdefault(name, {})
            if not isinstance(below, dict):
                place[separator.join(path[index:])] = value
                break
            place = below
        else:
            place[path[-1]] = value
    return result
