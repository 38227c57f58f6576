"""Makes decisions about collections of artifacts. Each is one transaction, which locks the row of the collection.

``published`` is called for a collection without a row, because it is new or was lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

from runstream_consumers.artifact_decisions.model import (
    Collection,
    Content,
    Decision,
    Link,
    Published,
    Refused,
    RequestId,
    Version,
    source_content,
    wrong_collection,
    wrong_type,
)
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries

QUERIES = load_queries(files(__package__) / "queries.sql")

#: Returns what events have published about a collection; None if nothing.
Look = Callable[[Collection], Awaitable[Published | None]]


@dataclass(frozen=True, slots=True)
class _Locked:
    """A collection whose row is locked until the end of the transaction."""

    connection: Connection
    collection: Collection
    type: str
    portfolio: bool
    last_version: int

    async def retyped(self, kind: str, *, portfolio: bool) -> _Locked:
        """Return the collection for versions of a type, or refuse them; one without versions takes any type."""
        is_same = (self.type, self.portfolio) == (kind, portfolio)
        if not is_same and await self.connection.fetchval(QUERIES["has_versions"], self.collection.key):
            if self.portfolio != portfolio:
                raise wrong_collection(self.collection, portfolio=self.portfolio)
            raise wrong_type(self.collection, self.type, kind)
        return _Locked(self.connection, self.collection, kind, portfolio, self.last_version)

    async def decide(self, request: RequestId, version: Version | None = None, draft: UUID | None = None) -> Decision:
        """Return a new decision, and remember it as the answer to the request."""
        last = self.last_version if version is None else version.number
        number = await self.connection.fetchval(
            QUERIES["next_decision"], self.collection.key, last, self.type, self.portfolio
        )
        await self.connection.execute(
            QUERIES["remember"],
            request.writer,
            request.seq,
            self.collection.key,
            number,
            None if version is None else version.number,
            draft,
        )
        return Decision(number=number, version=version, draft=draft)

    async def version_of(self, content: Content, same: bytes, source: tuple[UUID, int] | None = None) -> Version:
        """Return the version that has this content, which is added if there is none that is not deleted."""
        found = await self.connection.fetchrow(QUERIES["version_of_content"], self.collection.key, same)
        if found is not None:
            return _version(found)
        added = Version(number=self.last_version + 1, content=content, source=source)
        await _add_versions(self.connection, self.collection, [(added, same)])
        return added

    async def live(self, number: int) -> Version:
        """Return a version that is not deleted; raises Refused if there is none."""
        version = await _find(self.connection, self.collection, number)
        if version.deleted:
            raise _unknown(self.collection, number)
        return version

    async def answered(self, request: RequestId, *, finalize: bool = True) -> Decision | None:
        """Return the decision that was made for a request before, if one was."""
        row = await self.connection.fetchrow(QUERIES["request"], request.writer, request.seq, self.collection.key)
        if row is None:
            return None
        version = None if row["version"] is None else await _find(self.connection, self.collection, row["version"])
        merge = finalize and row["state"] == "closing"
        return Decision(number=row["decision"], version=version, draft=row["draft"], merge=merge)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decides on one request. A request that is repeated gets the same decision again.

    Raises Refused if the request contradicts what was decided before.
    """

    connection: Connection
    request: RequestId
    published: Look

    async def commit(self, collection: Collection, kind: str, content: Content) -> Decision:
        """Return the version of a logged artifact: that of the same content if there is one, else the next."""
        async with self.connection.transaction():
            locked = await self._lock(collection, Published(type=kind, portfolio=False))
            if answered := await locked.answered(self.request):
                return answered
            locked = await locked.retyped(kind, portfolio=False)
            return await locked.decide(self.request, await locked.version_of(content, content.digest))

    async def contribute(
        self, collection: Collection, kind: str, distributed_id: str, manifest_key: str, *, finalize: bool
    ) -> Decision:
        """Add a manifest to the open draft of a distributed artifact, which is opened if there is none.

        If ``finalize`` is set, the draft takes no further contributions, and :meth:`complete` must follow.
        """
        async with self.connection.transaction():
            locked = await self._lock(collection, Published(type=kind, portfolio=False))
            if answered := await locked.answered(self.request, finalize=finalize):
                return answered
            locked = await locked.retyped(kind, portfolio=False)
            draft = await self.connection.fetchval(QUERIES["open_draft"], collection.key, distributed_id)
            if draft is None and finalize:
                finished = await self.connection.fetchrow(
                    QUERIES["finished_with"], collection.key, distributed_id, manifest_key
                )
                if finished is not None:
                    return await self._finished_again(locked, finished["id"], finished["version"])
            if draft is None:
                draft = uuid4()
                await self.connection.execute(QUERIES["add_drafts"], collection.key, [draft], [distributed_id])
            decision = await locked.decide(self.request, draft=draft)
            await self.connection.execute(QUERIES["add_contributions"], [draft], [decision.number], [manifest_key])
            if finalize:
                await self.connection.execute(QUERIES["set_draft"], draft, "closing", None)
            return replace(decision, merge=finalize)

    async def _finished_again(self, locked: _Locked, draft: UUID, number: int | None) -> Decision:
        """Return the version of a draft that a process finishes which was started again, or that it is to be merged."""
        version = None if number is None else await locked.live(number)
        decision = await locked.decide(self.request, version, draft)
        return replace(decision, merge=version is None)

    async def manifests(self, draft: UUID) -> list[str]:
        """Return the keys of the manifests of a draft, in order of their decisions."""
        return [row["manifest_key"] for row in await self.connection.fetch(QUERIES["manifests_of_draft"], draft)]

    async def complete(self, collection: Collection, draft: UUID, content: Content) -> Decision:
        """Return the version of a draft whose manifests are merged."""
        async with self.connection.transaction():
            locked = await self._lock(collection)
            found = await self.connection.fetchrow(QUERIES["draft_state"], draft)
            state, number = (None, None) if found is None else (found["state"], found["version"])
            if state != "closing" and (answered := await locked.answered(self.request)) and answered.version:
                return answered
            if state != "closing" and number is not None:
                return await locked.decide(self.request, await locked.live(number), draft)
            if state != "closing":
                raise Refused("draft_deleted", f"The unfinished version of {collection} was deleted: log it again.")
            version = await locked.version_of(content, content.digest)
            await self.connection.execute(QUERIES["set_draft"], draft, "closed", version.number)
            return await locked.decide(self.request, version, draft)

    async def link(self, source: Collection, number: int, target: Collection) -> Link:
        """Return the decision about the target of a link. A version that is a link stands for what it links."""
        async with self.connection.transaction():
            origin, version, kind = await self._linked(source, number)
            locked = await self._lock(target, Published(type=kind, portfolio=True))
            decision = await locked.answered(self.request)
            if decision is None:
                locked = await locked.retyped(kind, portfolio=True)
                same = source_content(origin.key, version.number)
                made = await locked.version_of(version.content, same, (origin.key, version.number))
                decision = await locked.decide(self.request, made)
            return Link(decision=decision, source=origin, version=version, type=kind)

    async def unlink(self, source: Collection, number: int, target: Collection) -> Link:
        """Return the decision that removes a link."""
        async with self.connection.transaction():
            origin, version, kind = await self._linked(source, number)
            locked = await self._lock(target)
            decision = await locked.answered(self.request)
            if decision is None:
                same = source_content(origin.key, version.number)
                row = await self.connection.fetchrow(QUERIES["version_of_content"], target.key, same)
                if row is None:
                    raise Refused("not_linked", f"{origin}:v{version.number} is not linked to {target}.")
                await self.connection.execute(QUERIES["delete_version"], target.key, row["version"])
                decision = await locked.decide(self.request, _version(row))
            return Link(decision=decision, source=origin, version=version, type=kind)

    async def change(self, collection: Collection, number: int | None) -> Decision:
        """Return the decision to change a version, or the collection if ``number`` is None."""
        async with self.connection.transaction():
            locked = await self._lock(collection)
            if answered := await locked.answered(self.request):
                return answered
            return await locked.decide(self.request, None if number is None else await locked.live(number))

    async def delete(self, collection: Collection, number: int | None) -> Decision:
        """Return the decision to delete a version, or the collection if ``number`` is None, and all links to it."""
        async with self.connection.transaction():
            locked = await self._lock(collection)
            if answered := await locked.answered(self.request):
                return answered
            if number is None:
                await self.connection.execute(QUERIES["delete_versions"], collection.key)
                await self.connection.execute(QUERIES["close_drafts"], collection.key)
                return await locked.decide(self.request)
            version = await _find(self.connection, collection, number)
            await self.connection.execute(QUERIES["delete_version"], collection.key, number)
            return await locked.decide(self.request, version)

    async def expire(self, collection: Collection, number: int, known: int) -> Decision | None:
        """Return the decision to delete a version whose lifetime has ended.

        None if it is linked, or if more was decided about the collection than the decision ``known``: it may be kept.
        """
        async with self.connection.transaction():
            locked = await self._lock(collection)
            if answered := await locked.answered(self.request):
                return answered
            if await self.connection.fetchval(QUERIES["is_kept"], collection.key, number, known):
                return None
            await self.connection.execute(QUERIES["delete_version"], collection.key, number)
            return await locked.decide(self.request, await _find(self.connection, collection, number))

    async def _linked(self, source: Collection, number: int) -> tuple[Collection, Version, str]:
        """Return a version that is linked, with its collection and its type."""
        locked = await self._lock(source)
        version = await locked.live(number)
        if version.source is None:
            return source, version, locked.type
        row = await self.connection.fetchrow(QUERIES["collection_of_key"], version.source[0])
        if row is None:
            raise _unknown(source, number)
        return await self._linked(Collection(**row), version.source[1])

    async def _lock(self, collection: Collection, new: Published | None = None) -> _Locked:
        """Lock a collection; one that is unknown is refused, unless ``new`` describes it."""
        row = await self.connection.fetchrow(QUERIES["lock"], collection.key)
        if row is None:
            known = await self.published(collection) or new
            if known is None:
                raise Refused("not_found", f"Unknown artifact {collection}: check its name, or wait for its delivery.")
            await _begin(self.connection, collection, known)
            row = await self.connection.fetchrow(QUERIES["lock"], collection.key)
        return _Locked(self.connection, collection, row["type"], row["portfolio"], row["last_version"])


async def close_stale_drafts(connection: Connection, before: datetime) -> list[UUID]:
    """Close the drafts that nobody has contributed to since a time; return all that were closed without a version."""
    if await connection.fetchval("select to_regclass('control.artifact_draft') is null"):
        return []
    for row in await connection.fetch(QUERIES["stale_drafts"], before, None):
        async with connection.transaction():
            await connection.fetchrow(QUERIES["lock"], row["collection"])  # a contribution may be under way
            if await connection.fetch(QUERIES["stale_drafts"], before, row["id"]):
                await connection.execute(QUERIES["set_draft"], row["id"], "closed", None)
    return [row["id"] for row in await connection.fetch(QUERIES["abandoned_drafts"])]


async def held_manifests(connection: Connection) -> list[tuple[str, str]]:
    """Return entity and key of every manifest of a version that is not deleted, and of unfinished drafts."""
    if await connection.fetchval("select to_regclass('control.artifact_version') is null"):
        return []
    return [(row["entity"], row["manifest_key"]) for row in await connection.fetch(QUERIES["held"])]


async def _begin(connection: Connection, collection: Collection, known: Published) -> None:
    """Add a collection with what is published of it, unless another transaction has."""
    added = await connection.fetchval(
        QUERIES["add_collection"],
        collection.key,
        collection.entity,
        collection.project,
        collection.name,
        known.type,
        known.portfolio,
        known.last_version,
        known.last_decision,
    )
    if added is None:
        return
    same = [
        (version, version.content.digest if version.source is None else source_content(*version.source))
        for version in known.versions
    ]
    await _add_versions(connection, collection, same)
    if known.contributions:
        drafts = {one.draft: one.distributed_id for one in known.contributions}
        await connection.execute(QUERIES["add_drafts"], collection.key, [*drafts], [*drafts.values()])
        rows = [(one.draft, one.decision, one.manifest_key) for one in known.contributions]
        await connection.execute(QUERIES["add_contributions"], *columns_of(rows))


async def _add_versions(
    connection: Connection, collection: Collection, versions: Sequence[tuple[Version, bytes]]
) -> None:
    rows = [
        (
            version.number,
            same,
            version.content.digest,
            version.content.manifest_key,
            version.content.size,
            version.content.file_count,
            *(version.source or (None, None)),
            version.deleted,
        )
        for version, same in versions
    ]
    if rows:
        await connection.execute(QUERIES["add_versions"], collection.key, *columns_of(rows))


async def _find(connection: Connection, collection: Collection, number: int) -> Version:
    row = await connection.fetchrow(QUERIES["version"], collection.key, number)
    if row is None:
        raise _unknown(collection, number)
    return _version(row)


def _unknown(collection: Collection, number: int) -> Refused:
    return Refused("not_found", f"Artifact {collection} has no version v{number}, or it was deleted.")


def _version(row: Any) -> Version:
    return Version(
        number=row["version"],
        content=Content(
            digest=row["digest"],
            manifest_key=row["manifest_key"],
            size=row["size"],
            file_count=row["file_count"],
        ),
        source=None if row["source"] is None else (row["source"], row["source_version"]),
        deleted=row["deleted"],
    )
