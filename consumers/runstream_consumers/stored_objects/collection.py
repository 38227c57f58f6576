"""Deletes the objects that nothing refers to and that nobody has wanted for a while (docs/adr/0018).

What refers to an object: a stored file of a run, or a manifest of an artifact, as the object of the manifest itself or
as one of its files. The caller makes sure that the tables of files and artifacts have every event that was sent before
the collection began.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Protocol
from uuid import UUID

from runstream_consumers.object_store.store import ObjectMissing, StoredObject, Upload
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_schemas.exceptions import InvalidManifest
from runstream_schemas.stored.manifest import Manifest
from runstream_schemas.stored.objects import parse_key

QUERIES = load_queries(files("runstream_consumers.stored_objects") / "collection.sql")

#: Objects that are deleted in one transaction, for which requests for them may wait.
_BATCH = 200
_FIRST = (UUID(int=0), b"")
#: A scan of all objects takes seconds for a million.
_SCAN_S = 600.0

#: Entity key and SHA-256 of an object.
ObjectId = tuple[UUID, bytes]


class CollectionRefused(Exception):  # noqa: N818 — nothing was deleted
    """It is not certain what refers to objects, so nothing is deleted; the message says why."""


class Store(Protocol):
    """What a collection needs of the object store."""

    async def read(self, key: str) -> bytes:
        """Return the bytes of an object."""

    def objects(self) -> AsyncIterator[Sequence[StoredObject]]:
        """Yield all objects, in pages."""

    async def uploads(self) -> Sequence[Upload]:
        """Return the unfinished uploads."""

    async def abort(self, key: str, upload_id: str) -> None:
        """Delete an upload."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""


@dataclass(slots=True)
class Collected:
    """What a collection has deleted, or would delete."""

    objects: int = 0
    bytes: int = 0
    #: Unfinished uploads.
    uploads: int = 0
    #: Objects that were not known, and are kept for the grace period.
    adopted: int = 0


async def learn_manifests(connection: Connection, store: Store, keys: Iterable[str]) -> None:
    """Record what the manifests refer to, and forget all others; each manifest is read once.

    Raises CollectionRefused if one cannot be read.
    """
    wanted = {found: key for key in keys if (found := parse_key(key)) is not None}
    known = {(row["entity"], row["digest"]): row["id"] for row in await connection.fetch(QUERIES["known_manifests"])}
    for found in sorted(wanted.keys() - known.keys()):
        try:
            manifest = Manifest.decode(await store.read(wanted[found]))
        except (ObjectMissing, InvalidManifest) as error:
            raise CollectionRefused(f"The manifest {wanted[found]} cannot be read: {error!r}") from error
        async with connection.transaction():
            number = await connection.fetchval(QUERIES["add_manifest"], *found)
            hashes = sorted({entry.sha256 for entry in manifest.entries.values() if entry.sha256})
            await connection.execute(QUERIES["add_entries"], number, hashes)
    await connection.execute(QUERIES["forget_manifests"], [known[one] for one in known.keys() - wanted.keys()])


async def adopt(connection: Connection, store: Store) -> int:
    """Record objects that the table does not know, which are kept for the grace period; return how many."""
    count = 0
    async for page in store.objects():
        rows = [(*found, one.size) for one in page if (found := parse_key(one.key)) is not None]
        if rows:
            status = await connection.execute(QUERIES["adopt"], *columns_of(rows))
            count += int(status.rpartition(" ")[2])
    return count


async def unreferenced(connection: Connection, cutoff: datetime) -> AsyncIterator[Sequence[Any]]:
    """Yield the objects to delete, in batches; deleting them does not affect the next ones."""
    after: ObjectId = _FIRST
    while rows := await connection.fetch(QUERIES["unreferenced"], cutoff, *after, _BATCH, timeout=_SCAN_S):
        yield rows
        after = (rows[-1]["entity"], rows[-1]["sha256"])


async def delete(
    connection: Connection, store: Store, cutoff: datetime, batch: Collection[ObjectId]
) -> tuple[int, int]:
    """Delete those objects of a batch that nobody wants meanwhile; return their number and bytes.

    Interrupted anywhere, it leaves rows that say that the bytes are not stored, whether they are or not: who wants them
    uploads them again, and the next collection deletes what is left.
    """
    await connection.execute(QUERIES["mark"], cutoff, *columns_of(batch))
    async with connection.transaction():
        rows = await connection.fetch(QUERIES["lock"], cutoff, *columns_of(batch))
        if not rows:
            return 0, 0
        for row in rows:
            if row["upload_id"] is not None:
                await store.abort(_key(row), row["upload_id"])
        await store.delete([_key(row) for row in rows])
        await connection.execute(QUERIES["delete"], *columns_of((row["entity"], row["sha256"]) for row in rows))
    return len(rows), sum(row["size"] for row in rows)


async def abandoned_uploads(connection: Connection, store: Store, cutoff: datetime) -> list[Upload]:
    """Return the uploads that were begun before a time, and whose object nobody has wanted since."""
    old = [one for one in await store.uploads() if one.started is not None and one.started < cutoff]
    rows = await connection.fetch(QUERIES["uploads_in_use"], [one.id for one in old], cutoff)
    in_use = {row["upload_id"] for row in rows}
    return [one for one in old if one.id not in in_use]


async def collect(
    connection: Connection, store: Store, manifests: Iterable[str], *, cutoff: datetime, dry_run: bool = False
) -> Collected:
    """Delete what nothing refers to and nobody has wanted since ``cutoff``; ``manifests`` are the keys in use."""
    await learn_manifests(connection, store, manifests)
    found = Collected()
    async for rows in unreferenced(connection, cutoff):
        if dry_run:
            count, size = len(rows), sum(row["size"] for row in rows)
        else:
            count, size = await delete(connection, store, cutoff, [(row["entity"], row["sha256"]) for row in rows])
        found.objects, found.bytes = found.objects + count, found.bytes + size
    uploads = await abandoned_uploads(connection, store, cutoff)
    found.uploads = len(uploads)
    if not dry_run:
        for one in uploads:
            await store.abort(one.key, one.id)
        found.adopted = await adopt(connection, store)
    return found


def _key(row: Any) -> str:
    digest = row["sha256"].hex()
    return f"{row['entity'].hex}/{digest[:2]}/{digest}"
