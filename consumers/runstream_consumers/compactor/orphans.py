"""Deletion of objects of the archive that nothing refers to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runstream_consumers.archive.layout import LAKE
from runstream_consumers.archive.manifest import QUERIES, add_orphans
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.runtime.plugin import Connection


async def delete_orphans(connection: Connection, store: ObjectStore, grace_s: float) -> int:
    """Delete objects that never belonged to a part, or have not for a time; return how many.

    To be called while this process makes no part.
    """
    count = 0
    while keys := [row["key"] for row in await connection.fetch(QUERIES["old_orphans"], grace_s)]:
        await store.delete(keys)
        await connection.execute(QUERIES["remove_orphans"], keys)
        count += len(keys)
    return count


async def find_orphans(connection: Connection, store: ObjectStore, *, older_than_s: float) -> int:
    """Record the objects in the archive's folder that are in no table, as after a rebuild; return how many.

    Only objects that are older than a time, since one that is being written may belong to another database.
    """
    count = 0
    cutoff = datetime.now(UTC) - timedelta(seconds=older_than_s)
    async for page in store.objects(LAKE):
        keys = [one.key for one in page if one.modified is not None and one.modified < cutoff]
        known = {row["key"] for row in await connection.fetch(QUERIES["known_keys"], keys)}
        if unknown := [key for key in keys if key not in known]:
            await add_orphans(connection, unknown, was_part=True)
            count += len(unknown)
    return count
