"""What the artifacts consumer stores, and what is read from it, in any order of the partitions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstream_consumers.artifact_decisions.model import Collection
from runstream_consumers.artifacts import reader, store
from runstream_consumers.artifacts.consumer import ArtifactsConsumer
from runstream_consumers.artifacts.model import LOGGED, USED, Facts
from runstream_consumers.testing import check_replay, feeding
from runstream_schemas.topics import RunPath
from tests.artifact_events import ENTITY, PROJECT, TIME, ArtifactHistory, by_run
from tests.conftest import run_aside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runstream_consumers.runtime.plugin import Connection
    from runstream_deploy.services.postgres import Postgres
    from runstream_schemas.events import ArtifactEvent

DATA = Collection(entity=ENTITY, project=PROJECT, name="data")
REGISTRY = "ada/model-registry/best"
BEST = Collection(entity=ENTITY, project="model-registry", name="best")


@asynccontextmanager
async def stored(database: str, history: ArtifactHistory) -> AsyncIterator[Connection]:
    """Provide a connection to tables with the events of a history."""
    async with feeding(ArtifactsConsumer(), database) as feed:
        await feed.apply(*history.events)
        yield feed.connection


async def names(connection: Connection, version: str, collection: Collection = DATA) -> int | None:
    """Return the number of the version that a text names."""
    found = await reader.find(connection, collection, version)
    return None if found is None else found.number


async def test_a_version_is_found_by_number_alias_and_digest(database: str) -> None:
    """``latest`` is what was logged last, an alias belongs to the version that got it last."""
    history = ArtifactHistory()
    history.log("data", "a", aliases=["latest", "best", "v7"], tags=["x"], description="first", metadata='{"n": 1}')
    history.log("data", "b", aliases=["best"], ttl_s=60)
    history.log("data", "a", tags=["y"])
    async with stored(database, history) as connection:
        found = await reader.find(connection, DATA, "")
        other = await reader.find(connection, DATA, "best")

        assert found is not None
        assert other is not None
        assert (found.number, found.aliases, found.tags, found.type) == (0, ["latest"], ["x", "y"], "t")
        assert (found.description, found.metadata, found.expires) == ("first", {"n": 1}, None)
        assert (other.number, other.aliases, other.ttl_s) == (1, ["best"], 60)
        assert await names(connection, found.content.digest.hex()) == 0
        assert [await names(connection, text) for text in ("v1", "latest", "v7", "none")] == [1, 0, None, None]


async def test_changes_are_in_force_by_their_decisions(database: str) -> None:
    """Aliases and tags are added and removed, and an alias that another version has got meanwhile stays there."""
    history = ArtifactHistory()
    history.log("data", "a", aliases=["one", "two"], tags=["x"])
    history.log("data", "b", aliases=["two"])
    history.update("data", 0, aliases={"add": ["three"], "remove": ["one", "two"]}, tags={"remove": ["x"]})
    history.update("data", 0, description="text \0", metadata={"k": [1]}, ttl_s=-1)
    history.update("data", description="all", ttl_s=60, tags={"add": ["whole"]})
    async with stored(database, history) as connection:
        found = await reader.find(connection, DATA, "v0")
        (collection,) = await reader.collections(connection, ENTITY, PROJECT)

        assert found is not None
        assert (found.aliases, found.tags) == (["three"], [])
        assert (found.description, found.metadata, found.ttl_s) == ("text \0", {"k": [1]}, -1)
        assert await names(connection, "two") == 1
        assert (collection.description, collection.ttl_s, collection.tags) == ("all", 60, ["whole"])
        assert (collection.aliases, collection.versions) == ({"latest": 1, "three": 0, "two": 1}, 2)
        assert await reader.types(connection, ENTITY, PROJECT) == [("t", 1)]


async def test_deleted_versions_and_collections_are_not_shown(database: str) -> None:
    """``latest`` is then the one before; what is logged after the deletion of a collection is shown again."""
    history = ArtifactHistory()
    for content in ("a", "b"):
        history.log("data", content)
        history.log("gone", content)
    history.delete("data", 1)
    history.delete("gone")
    again = history.log("data", "b")
    history.delete("data", again)
    new = history.log("gone", "a")
    async with stored(database, history) as connection:
        assert (await names(connection, "latest"), again, new) == (0, 2, 2)
        assert [one.number for one in await reader.versions(connection, DATA, limit=9)] == [0]
        gone = Collection(entity=ENTITY, project=PROJECT, name="gone")
        assert [one.number for one in await reader.versions(connection, gone, limit=9)] == [2]
        assert len(await reader.live_manifests(connection)) == 1


async def test_links_show_the_version_that_they_link(database: str) -> None:
    """A link has aliases of its own and the other properties of its source, and ends with it."""
    history = ArtifactHistory()
    for content in ("a", "b", "c"):
        history.log("data", content, tags=[content])
    for version in (2, 0, 1):
        history.link("data", version, REGISTRY, aliases=["prod"])
    history.unlink("data", 0, REGISTRY)
    history.delete("data", 1)
    async with stored(database, history) as connection:
        found = await reader.find(connection, BEST, "latest")
        source = await reader.find(connection, DATA, "v2")

        assert found is not None
        assert source is not None
        assert (found.number, found.tags, found.source) == (0, ["c"], (DATA, 2))
        assert source.links == [(BEST, 0)]
        assert [one.number for one in await reader.versions(connection, BEST, limit=9)] == [0]
        assert (await reader.collections(connection, ENTITY, "model-registry"))[0].portfolio
        assert await names(connection, "prod", BEST) is None


async def test_lineage_is_read_both_ways(database: str) -> None:
    """Uses through links and by runs of other projects count for the version that is used, each run once."""
    history = ArtifactHistory()
    history.log("data", "a", run="maker")
    for purpose in ("input", "", "test", "input"):
        history.use("data", 0, run="reader", project="other", use_as=purpose)
    history.log("data", "a", run="second")
    async with stored(database, history) as connection:
        version = await reader.find(connection, DATA, "latest")
        assert version is not None
        assert version.run.run_id == "maker"
        assert [one.run.run_id for one in await reader.runs_of(connection, version, LOGGED, limit=9)] == [
            "maker",
            "second",
        ]
        uses = await reader.runs_of(connection, version, USED, limit=9)
        assert [(str(one.run), one.use_as) for one in uses] == [("ada/other/reader", "input, test")]
        run = RunPath(entity=ENTITY, project="other", run_id="reader")
        used = await reader.of_run(connection, run, USED, limit=9)
        assert [(one.number, use_as) for one, use_as in used] == [(0, "input, test")]


async def test_contributions_are_kept_until_their_version_is_made(database: str) -> None:
    """The manifests of an open draft are live; those of a finished one are not, but its version is."""
    draft, other = "0" * 31 + "1", "0" * 31 + "2"
    history = ArtifactHistory()
    history.upsert("data", "a", draft)
    history.upsert("data", "b", draft, run="two")
    history.upsert("data", "c", other)
    history.log("data", "a b", draft=draft)
    async with stored(database, history) as connection:
        keys = {event.manifest_key for event in history.events[2:]}
        assert {key for _, key in await reader.live_manifests(connection)} == keys
        assert len(await reader.live_manifests(connection, [UUID(other)])) == 1
        known = await reader.published(connection, DATA)
        assert known is not None
        assert (known.type, known.last_version, known.last_decision) == ("t", 0, 4)
        assert [(one.draft.hex, one.distributed_id) for one in known.contributions] == [(other, "d")]


async def test_versions_expire_unless_they_are_linked_or_have_an_alias(database: str) -> None:
    """The lifetime is that of the version, or of its collection; -1 is no end."""
    history = ArtifactHistory()
    history.update("data", ttl_s=100)
    given: list[dict[str, Any]] = [{}, {"ttl_s": -1}, {"ttl_s": 1000}, {"aliases": ["keep"]}, {}, {}]
    for number, fields in enumerate(given):
        history.log("data", str(number), **fields)
    history.link("data", 4, REGISTRY)
    async with stored(database, history) as connection:
        versions = {one.number: one for one in await reader.versions(connection, DATA, limit=9)}
        assert [number for number, one in sorted(versions.items()) if one.expires is None] == [1, 3, 4]
        expires = {number: one.expires for number, one in versions.items() if one.expires is not None}
        assert expires[0] == versions[0].created + 100_000_000
        early = await reader.expired(connection, expires[0] - 1, 9)
        late = await reader.expired(connection, expires[2], 9)
        assert (early, [number for _, number in late]) == ([], [0, 2, 5])


async def test_a_replay_stores_the_same(postgres: Postgres) -> None:
    """Events in one batch, one by one, and repeated make the same tables."""
    history = ArtifactHistory()
    history.log("data", "a", aliases=["x"])
    history.link("data", 0, REGISTRY)
    history.update("data", 0, aliases={"remove": ["x"]})
    history.use("data", 0, run="two")
    history.delete("data", 0)
    await check_replay(ArtifactsConsumer, postgres.address("postgres"), history.events, ignore=["time", "created"])


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["log", "log", "use", "link", "unlink", "update", "delete", "drop", "upsert"]),
        st.integers(0, 3),
        st.sampled_from(["one", "two", "three"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


def made(operations: list[tuple[str, int, str, int]]) -> ArtifactHistory:
    """Return the history of operations, each with a number, a run and an index of a version."""
    history = ArtifactHistory()
    linked: set[int] = set()
    for operation, number, run, index in operations:
        existing = history.versions("data")
        if operation == "log":
            history.log("data", str(number), run=run, aliases=[f"a{index}"], tags=[f"t{number}"], description=run)
        elif operation == "upsert":
            history.upsert("data", str(number), f"{index:032x}", run=run)
        elif existing:
            apply(history, operation, existing[index % len(existing)], run, linked)
    return history


def apply(history: ArtifactHistory, operation: str, version: int, run: str, linked: set[int]) -> None:
    """Apply an operation to a version; ``linked`` has those that may be unlinked."""
    match operation:
        case "use":
            history.use("data", version, run=run, use_as=run)
        case "link":
            history.link("data", version, REGISTRY, run=run, aliases=["a1"])
            linked.add(version)
        case "unlink" if version in linked:
            history.unlink("data", version, REGISTRY)
            linked.remove(version)
        case "update":
            aliases = {"add": [f"a{version}"], "remove": ["a1"]}
            history.update("data", version, aliases=aliases, metadata={"run": run})
        case "delete":
            history.delete("data", version)
            linked.discard(version)
        case "drop":
            history.delete("data")
            linked.clear()


async def tables(connection: Connection) -> dict[str, list[str]]:
    """Return the rows of all tables as texts, in order, and what is shown of them."""
    query = "select tablename from pg_tables where schemaname = 'artifacts' union select 'live'"
    names = [row["tablename"] for row in await connection.fetch(query)]
    found: dict[str, list[str]] = {}
    for name in names:
        rows = await connection.fetch(f"select to_jsonb(t)::text as row from artifacts.{name} as t order by 1")
        found[name] = [row["row"] for row in rows]
    return found


async def applied(connection: Connection, batches: list[list[ArtifactEvent]], times: dict[int, int]) -> dict[str, Any]:
    """Apply batches to empty tables; return the tables."""
    await connection.execute("truncate collection, version, property, label, lineage, contribution")
    for batch in batches:
        facts = Facts()
        for event in batch:
            facts.add(event, times[id(event)])
        await store.save(connection, facts)
    return await tables(connection)


def test_the_order_of_partitions_does_not_matter(database: str) -> None:
    """However the events of runs are interleaved, batched and repeated, the tables are the same."""

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(operations=OPERATIONS, data=st.data())
    def check(operations: list[tuple[str, int, str, int]], data: st.DataObject) -> None:
        events = made(operations).events
        times = {id(event): TIME + number for number, event in enumerate(events)}
        queues = by_run(events)
        order = data.draw(st.permutations([index for index, queue in enumerate(queues) for _ in queue]))
        positions = [0] * len(queues)
        interleaved = []
        for index in order:
            interleaved.append(queues[index][positions[index]])
            positions[index] += 1
        cut = data.draw(st.integers(0, len(interleaved)))
        repeated = [*interleaved[:cut], *interleaved]

        async def compare() -> None:
            async with feeding(ArtifactsConsumer(), database) as feed:
                expected = await applied(feed.connection, [events], times)
                assert await applied(feed.connection, [[event] for event in repeated], times) == expected
                assert await applied(feed.connection, [interleaved[cut:], interleaved[:cut]], times) == expected

        run_aside(compare())

    check()
