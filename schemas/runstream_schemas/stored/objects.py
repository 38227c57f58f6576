"""Keys of the object store: bytes are stored once for each entity, under the hash of their content."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from uuid import UUID

_SHA256_BYTES = 32
_KEY = re.compile(r"[0-9a-f]{32}/[0-9a-f]{2}/[0-9a-f]{64}")


def object_key(entity: str, sha256: bytes) -> str:
    """Return the key of bytes of an entity: a hash of the entity, two digits, and the SHA-256 of the bytes.

    Raises ValueError if ``sha256`` does not have 32 bytes.
    """
    if len(sha256) != _SHA256_BYTES:
        raise ValueError(f"Invalid SHA-256 of {len(sha256)} bytes: expected {_SHA256_BYTES}")
    return f"{entity_key(entity)}/{sha256[:1].hex()}/{sha256.hex()}"


@lru_cache(maxsize=64)
def entity_key(entity: str) -> str:
    """Return the folder of an entity: 32 hexadecimal digits, since its name may have any characters."""
    return hashlib.sha256(entity.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def parse_key(key: str) -> tuple[UUID, bytes] | None:
    """Return the key of the entity and the SHA-256 in a key; None if it is not one of :func:`object_key`."""
    if _KEY.fullmatch(key) is None:
        return None
    entity, digits, sha256 = key.split("/")
    return (UUID(hex=entity), bytes.fromhex(sha256)) if sha256.startswith(digits) else None


def is_object_key(key: str, entity: str) -> bool:
    """Return whether a key could be one of :func:`object_key` for this entity."""
    return _KEY.fullmatch(key) is not None and key.startswith(f"{entity_key(entity)}/")
