"""The keys of runs and writers in tables."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from asyncpg.pgproto import pgproto

from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from uuid import UUID


@lru_cache(maxsize=65_536)
def run_key(run: RunPath) -> UUID:
    """Return the key of a run: the first 16 bytes of the SHA-256 of entity, project and run id, joined by NUL."""
    path = f"{run.entity}\0{run.project}\0{run.run_id}"
    return _uuid(hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()[:16])


@lru_cache(maxsize=65_536)
def writer_key(writer: bytes) -> UUID:
    """Return the key of a writer: its 16 bytes as a UUID."""
    return _uuid(writer)


def _uuid(content: bytes) -> UUID:
    """Return a UUID of the class that asyncpg returns, which is made in a tenth of the time of its base class."""
    made: UUID = pgproto.UUID(content)
    return made
