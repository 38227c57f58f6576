"""Decisions about artifacts, and the merge of what several writers contribute to a version (docs/http-api.md)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from runstream_consumers.api.control_tables import ControlTables
from runstream_consumers.api.problems import Problem, Unavailable
from runstream_consumers.artifact_decisions.model import (
    Collection,
    Content,
    Decision,
    Link,
    Refused,
    RequestId,
    merged,
)
from runstream_consumers.artifact_decisions.store import Decisions
from runstream_consumers.artifacts import reader as artifacts
from runstream_consumers.object_store.store import ObjectMissing, ObjectStore
from runstream_consumers.stored_objects import object_table
from runstream_schemas.exceptions import InvalidManifest
from runstream_schemas.stored.manifest import Manifest
from runstream_schemas.stored.objects import object_key

_NOT_FOUND = frozenset({"not_found", "not_linked"})


@dataclass(frozen=True, slots=True)
class ArtifactDecisions:
    """Makes decisions, each in transactions of the schema ``control``; a refused one is a problem."""

    _control: ControlTables
    _store: ObjectStore | None

    async def commit(self, collection: Collection, kind: str, content: Content, request: RequestId) -> Decision:
        """Return the version of a logged artifact."""
        async with self._deciding(request) as decisions:
            return await decisions.commit(collection, kind, content)

    async def contribute(
        self, collection: Collection, kind: str, distributed_id: str, content: Content, request: RequestId
    ) -> Decision:
        """Add a manifest to the draft of a distributed artifact."""
        async with self._deciding(request) as decisions:
            return await decisions.contribute(collection, kind, distributed_id, content.manifest_key, finalize=False)

    async def finish(
        self, collection: Collection, kind: str, distributed_id: str, content: Content, request: RequestId
    ) -> Decision:
        """Add the last manifest to a draft, and return the version that all of them make."""
        async with self._deciding(request) as decisions:
            decision = await decisions.contribute(collection, kind, distributed_id, content.manifest_key, finalize=True)
            if not decision.merge or decision.draft is None:
                return decision
            keys = await decisions.manifests(decision.draft)
        # No connection is held while the store reads and writes. If this process ends here, the request is repeated.
        whole = await self._merge(collection, keys)
        async with self._deciding(request) as decisions:
            return await decisions.complete(collection, decision.draft, whole)

    async def link(self, source: Collection, number: int, target: Collection, request: RequestId) -> Link:
        """Return the decision about the target of a link."""
        async with self._deciding(request) as decisions:
            return await decisions.link(source, number, target)

    async def unlink(self, source: Collection, number: int, target: Collection, request: RequestId) -> Link:
        """Return the decision that removes a link."""
        async with self._deciding(request) as decisions:
            return await decisions.unlink(source, number, target)

    async def change(self, collection: Collection, number: int | None, request: RequestId) -> Decision:
        """Return the decision to change a version, or the collection if ``number`` is None."""
        async with self._deciding(request) as decisions:
            return await decisions.change(collection, number)

    async def delete(self, collection: Collection, number: int | None, request: RequestId) -> Decision:
        """Return the decision to delete a version, or the collection if ``number`` is None."""
        async with self._deciding(request) as decisions:
            return await decisions.delete(collection, number)

    async def expire(self, collection: Collection, number: int, known: int, request: RequestId) -> Decision | None:
        """Return the decision to delete a version whose lifetime has ended, or None if it may be kept."""
        async with self._deciding(request) as decisions:
            return await decisions.expire(collection, number, known)

    @asynccontextmanager
    async def _deciding(self, request: RequestId) -> AsyncIterator[Decisions]:
        try:
            async with self._control.connection() as connection:
                yield Decisions(connection, request, lambda collection: artifacts.published(connection, collection))
        except Refused as refused:
            raise Problem(404 if refused.code in _NOT_FOUND else 409, refused.code, str(refused)) from refused

    async def _merge(self, collection: Collection, keys: Sequence[str]) -> Content:
        """Store the union of manifests; return its content."""
        if self._store is None:
            raise Unavailable("no_object_store", "The server has no object store: set RUNSTREAM_S3_ENDPOINT.")
        try:
            parts = [await self._store.read(key) for key in keys]
            # In a thread: manifests of many files take seconds.
            whole, data = await asyncio.to_thread(_merged, parts)
        except (InvalidManifest, ObjectMissing) as error:
            message = f"A contribution to {collection} cannot be read: {error}. Log it again."
            raise Problem(409, "contribution_lost", message) from error
        digest = hashlib.sha256(data).digest()
        key = object_key(collection.entity, digest)
        async with self._control.connection() as connection:
            await object_table.want(connection, collection.entity, {digest: len(data)})
        if key not in keys:
            await self._store.write(key, data, "application/json")
        async with self._control.connection() as connection:
            await object_table.set_stored(connection, collection.entity, {digest: len(data)})
        return Content(digest=digest, manifest_key=key, size=whole.size, file_count=len(whole.entries))


def _merged(parts: Sequence[bytes]) -> tuple[Manifest, bytes]:
    whole = merged([Manifest.decode(part) for part in parts])
    return whole, whole.encode()


def request_id(writer: str, seq: int) -> RequestId:
    """Return the id of a request; raises ValueError if ``writer`` is not 16 bytes in hexadecimal."""
    return RequestId(writer=UUID(bytes=bytes.fromhex(writer)), seq=seq)


def command_request(key: bytes) -> RequestId:
    """Return the id of the request of a command."""
    return RequestId(writer=UUID(bytes=key), seq=0)
