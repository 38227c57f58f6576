"""Collections of objects, with real tables and a model of the store, which can fail."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runstream_consumers.api.control_tables import open_control_tables
from runstream_consumers.api.uploads import Uploads
from runstream_consumers.control import schema
from runstream_consumers.files.consumer import FilesConsumer, FilesPartition
from runstream_consumers.object_store.presigning import SignedRequest
from runstream_consumers.object_store.store import ObjectMissing, ObjectStore, StoredObject, StoreUnavailable, Upload
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.stored_objects.collection import Collected, CollectionRefused, collect
from runstream_schemas.events import FileEvent, Kind
from runstream_schemas.stored.manifest import Manifest, ManifestEntry
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import Topic
from tests.conftest import run_aside
from tests.integration.summary.feeding import connected
from tests.polling import eventually_async
from tests.property.files.test_model import event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from runstream_consumers.api.control_tables import ControlTables
    from runstream_consumers.runtime.plugin import Connection

#: Shorter than the table is trusted without looking at the store.
_GRACE = timedelta(hours=12)
_ENTITY = "ada"
_CONTENTS = [f"content {number}".encode() for number in range(4)]
_PATHS = ["a", "b/c"]


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _key(data: bytes) -> str:
    return object_key(_ENTITY, _hash(data))


@dataclass
class ModelStore:
    """An object store in memory. It fails ``failing`` calls from now, before or after the call has its effect."""

    kept: dict[str, bytes] = field(default_factory=dict)
    expires_s: int = 3600
    failing: tuple[int, bool] | None = None

    def _enter(self) -> bool:
        """Return whether the call fails after its effect."""
        if self.failing is not None:
            calls, late = self.failing
            self.failing = (calls - 1, late) if calls else None
            if not calls and not late:
                raise StoreUnavailable("down")
            return not calls
        return False

    def presign_put(self, key: str, *, expires_s: int, headers: Mapping[str, str]) -> SignedRequest:  # noqa: ARG002
        """Return the key in place of a URL."""
        return SignedRequest(key, headers)

    async def stat(self, key: str) -> StoredObject | None:
        """Return the size of an object."""
        found = self.kept.get(key)
        return None if found is None else StoredObject(key=key, size=len(found), etag="")

    async def read(self, key: str) -> bytes:
        """Return the bytes of an object."""
        if key not in self.kept:
            raise ObjectMissing(key)
        return self.kept[key]

    async def objects(self) -> AsyncIterator[Sequence[StoredObject]]:
        """Yield all objects."""
        yield [StoredObject(key=key, size=len(data), etag="") for key, data in self.kept.items()]

    async def uploads(self) -> Sequence[Upload]:
        """Return that nothing is uploaded in parts."""
        return []

    async def abort(self, key: str, upload_id: str) -> None:
        """Fail: there are no uploads."""
        raise NotImplementedError

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, or fail."""
        fails = self._enter()
        for key in keys:
            self.kept.pop(key, None)
        if fails:
            raise StoreUnavailable("down")


@dataclass
class World:
    """Clients, topics, tables and the store; time passes only by ``age``."""

    connection: Connection
    control: ControlTables
    store: ModelStore = field(default_factory=ModelStore)
    #: Events that are sent and not consumed.
    pending: deque[FileEvent] = field(default_factory=deque)
    offset: int = 0
    #: How long ago clients were told that contents are stored.
    confirmed: dict[bytes, timedelta] = field(default_factory=dict)
    #: What the events of the topic file say, in order.
    files: dict[str, bytes] = field(default_factory=dict)
    manifests: list[bytes] = field(default_factory=list)

    async def upload(self, data: bytes, *, until: str = "confirm") -> None:
        """Store content as a client does, up to its death after a step."""
        uploads = Uploads(cast("ObjectStore", self.store), self.control, _ENTITY)
        sizes = {_hash(data): len(data)}
        (step,) = await uploads.plan(sizes, {})
        if not step["stored"]:
            if until == "ask":
                return
            self.store.kept[step["url"]] = data
            if until == "put" or await uploads.confirm(sizes):
                return
        self.confirmed[data] = timedelta()

    def _may_refer(self, data: bytes) -> bool:
        return self.confirmed.get(data, _GRACE) < _GRACE

    async def refer(self, path: str, data: bytes) -> None:
        """Send the event of a file, unless the content would have to be asked for again."""
        if self._may_refer(data):
            self.pending.append(event(Kind.DATA, path, data))
            self.files[path] = data

    async def delete(self, path: str) -> None:
        """Send the event of a deletion."""
        self.pending.append(event(Kind.DELETED, path, None))
        self.files.pop(path, None)

    async def log_artifact(self, contents: Sequence[bytes]) -> None:
        """Make a version of an artifact, whose tables are not part of this test."""
        entries = {str(n): ManifestEntry(size=len(one), sha256=_hash(one)) for n, one in enumerate(contents)}
        manifest = Manifest(entries).encode()
        await self.upload(manifest)
        if all(map(self._may_refer, [*contents, manifest])):
            self.manifests.append(manifest)

    async def delete_artifact(self) -> None:
        """Delete the oldest version."""
        self.manifests = self.manifests[1:]

    async def age(self, hours: int) -> None:
        """Let time pass."""
        passed = timedelta(hours=hours)
        await self.connection.execute(
            "update control.object set wanted_at = wanted_at - $1::interval, stored_at = stored_at - $1::interval",
            passed,
        )
        self.confirmed = {data: since + passed for data, since in self.confirmed.items()}

    async def consume(self) -> None:
        """Apply all events that were sent."""
        received = []
        while self.pending:
            self.offset += 1
            one = self.pending.popleft()
            received.append(
                Received(topic=Topic.FILE, partition=0, offset=self.offset, append_time=1, message=b"", event=one)
            )
        await FilesPartition().apply(self.connection, Batch(partition=0, events=received))

    async def collect(self, failing: tuple[int, bool] | None = None) -> Collected | None:
        """Collect, after the consumer has read its topic to the end; the store may fail meanwhile."""
        await self.consume()
        self.store.failing = failing
        with suppress(StoreUnavailable):
            return await collect(
                self.connection, self.store, map(_key, self.manifests), cutoff=datetime.now(UTC) - _GRACE
            )
        self.store.failing = None
        return None

    def referenced(self) -> set[str]:
        """Return the keys that files and artifacts refer to."""
        found = {_key(data) for data in [*self.files.values(), *self.manifests]}
        for manifest in self.manifests:
            found |= {object_key(_ENTITY, entry.sha256) for entry in Manifest.decode(manifest).entries.values()}
        return found


_CONTENT, _PATH = st.sampled_from(_CONTENTS), st.sampled_from(_PATHS)
_STEPS = st.one_of(
    st.tuples(st.just("upload"), _CONTENT, st.sampled_from(["ask", "put", "confirm", "confirm"])),
    st.tuples(st.just("refer"), _PATH, _CONTENT),
    st.tuples(st.just("delete"), _PATH),
    st.tuples(st.just("log_artifact"), st.lists(_CONTENT, max_size=3, unique=True)),
    st.tuples(st.just("delete_artifact")),
    st.tuples(st.just("age"), st.sampled_from([1, 6, 13])),
    st.tuples(st.just("consume")),
    st.tuples(st.just("collect"), st.none() | st.tuples(st.integers(0, 1), st.booleans())),
)


@pytest.fixture
def tables(database: str) -> str:
    """Create the tables; return the DSN of their database."""

    async def create() -> None:
        await prepare_tables(FilesConsumer(), database)
        async with connected(database) as connection:
            await schema.prepare(connection)

    run_aside(create())
    return database


async def _empty(connection: Connection) -> None:
    await connection.execute(
        "truncate files.file, control.object, control.manifest, control.manifest_entry; set search_path = files"
    )


async def _play(database: str, steps: Sequence[tuple[Any, ...]]) -> None:
    async with connected(database) as connection, open_control_tables(database) as control:
        await _empty(connection)
        world = World(connection, control)
        for name, *arguments in steps:
            if name == "upload":
                await world.upload(arguments[0], until=arguments[1])
            else:
                await getattr(world, name)(*arguments)
            assert world.referenced() <= world.store.kept.keys()
        await world.age(30)
        await world.collect()
        await world.age(30)
        await world.collect()
        rows = await connection.fetch("select sha256 from control.object")
    assert world.referenced() == world.store.kept.keys()
    assert {object_key(_ENTITY, row["sha256"]) for row in rows} == world.referenced()


def _interrupted(*, late: bool) -> list[tuple[Any, ...]]:
    """Return steps in which an object is wanted again after its deletion was interrupted."""
    data = _CONTENTS[0]
    return [
        ("upload", data, "confirm"),
        ("age", 13),
        ("collect", (0, late)),
        ("upload", data, "confirm"),
        ("refer", "a", data),
    ]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(steps=_interrupted(late=True))
@example(steps=_interrupted(late=False))
@given(steps=st.lists(_STEPS, max_size=20))
def test_referenced_bytes_are_never_deleted_and_others_are_at_last(tables: str, steps: list[tuple[Any, ...]]) -> None:
    """Uploads, deletions, collections and crashes in any order: what is referenced stays, and in the end only that."""
    run_aside(_play(tables, steps))


async def test_who_wants_an_object_while_it_is_deleted_uploads_it_again(tables: str) -> None:
    """The request waits until the deletion has ended, and then learns that the object is not stored."""
    data = _CONTENTS[0]
    asked: list[asyncio.Task[None]] = []

    @dataclass
    class Slow(ModelStore):
        async def delete(self, keys: Sequence[str]) -> None:
            asked.append(asyncio.create_task(world.upload(data)))

            async def waits() -> bool:
                return bool(await watching.fetchval("select count(*) from pg_locks where not granted"))

            await eventually_async(waits)
            await super().delete(keys)

    async with (
        connected(tables) as connection,
        connected(tables) as watching,
        open_control_tables(tables) as control,
    ):
        await _empty(connection)
        world = World(connection, control, Slow())
        await world.upload(data)
        await world.age(13)
        assert await world.collect() == Collected(objects=1, bytes=len(data))
        await asyncio.gather(*asked)
        assert world.store.kept == {_key(data): data}
        assert await connection.fetchval("select stored_at is not null from control.object")


async def test_a_manifest_that_cannot_be_read_stops_a_collection(tables: str) -> None:
    """Nothing is deleted if it is not known what a version refers to; a dry run deletes nothing either."""
    async with connected(tables) as connection, open_control_tables(tables) as control:
        await _empty(connection)
        world = World(connection, control)
        await world.upload(_CONTENTS[0])
        await world.age(13)
        cutoff = datetime.now(UTC) - _GRACE
        found = await collect(connection, world.store, [], cutoff=cutoff, dry_run=True)
        assert found == Collected(objects=1, bytes=len(_CONTENTS[0]))
        world.manifests = [b"lost"]
        with pytest.raises(CollectionRefused, match="cannot be read: ObjectMissing"):
            await world.collect()
        world.store.kept[_key(b"lost")] = b"damaged"
        with pytest.raises(CollectionRefused, match="cannot be read: InvalidManifest"):
            await world.collect()
        assert _key(_CONTENTS[0]) in world.store.kept
