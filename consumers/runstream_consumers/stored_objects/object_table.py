"""The table ``control.object``: what the store has or is about to have. A client that asks for an object wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib.resources import files
from typing import NamedTuple
from uuid import UUID

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import load_queries
from runstream_schemas.stored.objects import entity_key

QUERIES = load_queries(files("runstream_consumers.stored_objects") / "queries.sql")

#: How long the table is trusted without looking at the store.
_TRUSTED = timedelta(days=1)
#: How long it is not recorded again that a stored object is wanted: little of the least grace period, two hours.
_RECENT = timedelta(minutes=5)


class KnownObject(NamedTuple):
    """The row of an object."""

    size: int
    #: Whether the store had all bytes when it was last asked.
    stored: bool
    #: Whether that is recent.
    seen: bool = False
    #: Whether the row was just made, so that nothing can have been uploaded.
    new: bool = False
    #: The unfinished upload of its parts.
    upload_id: str | None = None


def entity_uuid(entity: str) -> UUID:
    """Return the key of an entity in tables: its folder in the store."""
    return UUID(hex=entity_key(entity))


async def want(connection: Connection, entity: str, sizes: Mapping[bytes, int]) -> dict[bytes, KnownObject]:
    """Record that objects are wanted now, or a moment ago; return what is known of each, by SHA-256."""
    hashes = sorted(sizes)
    asked = (entity_uuid(entity), hashes, [sizes[one] for one in hashes], _TRUSTED, _RECENT)
    async with connection.transaction():
        # A plan that was made while the table was small is kept, and would read the whole table for each object.
        await connection.execute("set local enable_seqscan = off")
        rows = await connection.fetch(QUERIES["want"], *asked)
    return {sha256: KnownObject(*known) for sha256, *known in rows}


async def set_stored(connection: Connection, entity: str, sizes: Mapping[bytes, int]) -> None:
    """Record that the store has all bytes of objects, which are wanted now."""
    if sizes:
        hashes = sorted(sizes)
        await connection.execute(QUERIES["set_stored"], entity_uuid(entity), hashes, [sizes[one] for one in hashes])


async def set_missing(connection: Connection, entity: str, hashes: Sequence[bytes]) -> None:
    """Record that the store does not have objects."""
    if hashes:
        await connection.execute(QUERIES["set_missing"], entity_uuid(entity), sorted(hashes))


async def forget(connection: Connection, key: str) -> None:
    """Record that the store does not have the object of a key, so that it can be uploaded again."""
    entity, _, sha256 = key.split("/")
    await connection.execute(QUERIES["set_missing"], UUID(hex=entity), [bytes.fromhex(sha256)])


async def start_upload(
    connection: Connection, entity: str, sha256: bytes, *, known: str | None, upload_id: str
) -> str | None:
    """Record the upload of an object in place of the ``known`` one; return the recorded one, which may be another."""
    found: str | None = await connection.fetchval(
        QUERIES["start_upload"], entity_uuid(entity), sha256, known, upload_id
    )
    return found


async def find(connection: Connection, entity: str, sha256: bytes) -> KnownObject | None:
    """Return what is known of an object, which is wanted now."""
    row = await connection.fetchrow(QUERIES["find"], entity_uuid(entity), sha256)
    return None if row is None else KnownObject(**row)
