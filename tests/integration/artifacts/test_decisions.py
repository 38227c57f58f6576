"""Decisions about artifacts: version numbers, drafts of several writers, links, and which requests are refused."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg

from runstream_consumers.artifact_decisions.model import Collection, RequestId
from runstream_consumers.artifact_decisions.store import Decisions, close_stale_drafts, held_manifests
from runstream_consumers.artifacts.consumer import ArtifactsConsumer
from runstream_consumers.artifacts.reader import published
from runstream_consumers.testing import feeding
from runstream_schemas.stored.manifest import Manifest
from runstream_schemas.stored.objects import object_key
from tests.artifact_events import PROJECT, ArtifactHistory
from tests.integration.artifacts.conftest import asked
from tests.integration.summary.feeding import connected

if TYPE_CHECKING:
    from tests.integration.artifacts.conftest import Decider


async def test_versions_are_numbered_and_the_same_content_is_the_same_version(decider: Decider) -> None:
    """Versions count from 0; old content gets its old version, and each log a greater decision."""
    contents = [await decider.manifest({"a": text}) for text in ("one", "two", "one", "three")]

    found = [await decider.decided("data/commits", asked(type="t", **content)) for content in contents]

    assert [one["version"] for one in found] == [0, 1, 0, 2]
    assert [one["decision"] for one in found] == [1, 2, 3, 4]
    assert [one["digest"] for one in found] == [content["digest"] for content in contents]


async def test_a_repeated_request_gets_the_same_decision(decider: Decider) -> None:
    """A shipper that asks again for the same record, also at the same time, gets the same answer."""
    body = asked(type="t", **await decider.manifest({"a": "one"}))

    found = await asyncio.gather(*(decider.decided("data/commits", body) for _ in range(8)))

    assert all(one == found[0] for one in found)
    another = await decider.decided("data/commits", asked(type="t", **await decider.manifest({"a": "two"})))
    assert (another["version"], another["decision"]) == (1, 2)


async def test_concurrent_versions_have_no_gaps(decider: Decider) -> None:
    """Writers that log different content at the same time get contiguous versions and decisions."""
    contents = [await decider.manifest({"a": str(number)}) for number in range(32)]

    found = await asyncio.gather(*(decider.decided("data/commits", asked(type="t", **content)) for content in contents))

    assert sorted(one["version"] for one in found) == list(range(32))
    assert sorted(one["decision"] for one in found) == list(range(1, 33))


async def test_a_collection_has_one_type(decider: Decider) -> None:
    """An artifact of another type is refused with both types."""
    content = await decider.manifest({"a": "one"})
    await decider.decided("data/commits", asked(type="dataset", **content))

    answer = await decider.post("data/commits", asked(type="model", **content))

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "wrong_type")
    assert "'dataset'" in answer.json()["error"]["message"]
    assert "'model'" in answer.json()["error"]["message"]


async def test_sixty_four_writers_make_one_version(decider: Decider) -> None:
    """One version has every file of every writer once, also if writers repeat requests or start again."""
    shared: dict[str, Any] = {"type": "t", "action": "upsert", "distributed_id": "d"}
    bodies = []
    for number in range(64):
        content = await decider.manifest({f"part/{number}": f"text {number}", "common": "the same"})
        bodies.append(asked(**shared, **content))
        if number % 3 == 0:
            # The same request again, and a new writer after a restart.
            bodies += [bodies[-1], asked(**shared, **content)]

    found = await asyncio.gather(*(decider.decided("data/commits", body) for body in bodies))
    last = asked(**{**shared, "finalize": True}, **await decider.manifest({"last": "end"}))
    made = await asyncio.gather(*(decider.decided("data/commits", last) for _ in range(4)))

    assert {one["version"] for one in found} == {None}
    assert {one["draft"] for one in (*found, *made)} == {found[0]["draft"]}
    assert all(one == made[0] for one in made)
    assert made[0]["version"] == 0
    manifest = Manifest.decode(await decider.store.read(made[0]["manifest_key"]))
    assert manifest.entries.keys() == {"common", "last", *(f"part/{number}" for number in range(64))}
    assert (made[0]["file_count"], made[0]["size"]) == (66, manifest.size)
    later = await decider.decided("data/commits", asked(**shared, **await decider.manifest({"x": "y"})))
    assert later["draft"] != found[0]["draft"]


async def test_a_merge_that_was_interrupted_is_completed_by_the_repeated_request(
    decider: Decider, database: str
) -> None:
    """If the API dies after it closed a draft, the repeated request gets its version; later contributions are apart."""
    shared: dict[str, Any] = {"type": "t", "action": "upsert", "distributed_id": "d"}
    first = await decider.decided("data/commits", asked(**shared, **await decider.manifest({"a": "one"})))
    last = asked(**{**shared, "finalize": True}, **await decider.manifest({"b": "two"}))
    connection = await asyncpg.connect(database)
    request = RequestId(writer=UUID(last["writer"]), seq=0)
    decisions = Decisions(connection, request, lambda collection: published(connection, collection))
    place = Collection(entity="ada", project=decider.project, name="data")
    await decisions.contribute(place, "t", "d", last["manifest_key"], finalize=True)
    await connection.close()

    late = await decider.decided("data/commits", asked(**shared, **await decider.manifest({"c": "three"})))
    made = await decider.decided("data/commits", last)

    assert (made["version"], made["file_count"], made["draft"]) == (0, 2, first["draft"])
    assert late["draft"] != first["draft"]


async def test_a_process_that_finishes_again_after_a_restart_gets_the_same_version(
    decider: Decider, database: str
) -> None:
    """Also if the version was not merged before. Other content, or another contribution before, is the next version."""
    shared: dict[str, Any] = {"type": "t", "action": "upsert", "distributed_id": "d"}
    finishing, last = {**shared, "finalize": True}, await decider.manifest({"b": "two"})
    await decider.decided("data/commits", asked(**shared, **await decider.manifest({"a": "one"})))
    async with connected(database) as own:
        decisions = Decisions(own, RequestId(writer=uuid4(), seq=0), lambda collection: published(own, collection))
        place = Collection(entity="ada", project=decider.project, name="data")
        await decisions.contribute(place, "t", "d", last["manifest_key"], finalize=True)

    made = await asyncio.gather(*(decider.decided("data/commits", asked(**finishing, **last)) for _ in range(3)))
    again = await decider.decided("data/commits", asked(**finishing, **last))
    other = await decider.decided("data/commits", asked(**finishing, **await decider.manifest({"b": "new"})))
    await decider.decided("data/commits", asked(**shared, **await decider.manifest({"a": "later"})))
    later = await decider.decided("data/commits", asked(**finishing, **last))

    assert {(one["version"], one["file_count"], one["draft"]) for one in (*made, again)} == {(0, 2, made[0]["draft"])}
    assert [(one["version"], one["file_count"]) for one in (other, later)] == [(1, 1), (2, 2)]


async def test_contributions_that_nobody_finishes_expire(decider: Decider, database: str) -> None:
    """A draft is closed some time after its last contribution; a writer that comes later begins another one."""
    shared: dict[str, Any] = {"type": "t", "action": "upsert", "distributed_id": "d"}

    async def contribute(connection: Any, text: str, age: timedelta) -> Any:
        content = await decider.manifest({text: text})
        entity, _, sha256 = content["manifest_key"].split("/")
        row = "insert into control.object (entity, sha256, size, wanted_at) values ($1, $2, 1, now() - $3::interval)"
        await connection.execute(row, UUID(entity), bytes.fromhex(sha256), age)
        return (await decider.decided("data/commits", asked(**shared, **content)))["draft"]

    async def closed(connection: Any, days: int) -> list[str]:
        return [one.hex for one in await close_stale_drafts(connection, datetime.now(UTC) - timedelta(days=days))]

    await decider.decided("data/commits", asked(**{**shared, "action": "log"}, **await decider.manifest({"v": "0"})))
    async with connected(database) as own:
        first = await contribute(own, "old", timedelta(days=9))
        assert await contribute(own, "new", timedelta(days=4)) == first
        assert await closed(own, 5) == []
        assert len(await held_manifests(own)) == 3
        assert await closed(own, 3) == [first]
        assert len(await held_manifests(own)) == 1
        assert await contribute(own, "later", timedelta()) != first
        assert await closed(own, 3) == [first]


async def test_of_two_contributions_to_a_path_the_later_decision_counts(decider: Decider) -> None:
    """If writers contribute different content under one path, the last one is in the version."""
    shared: dict[str, Any] = {"type": "t", "action": "upsert", "distributed_id": "d"}
    for text in ("first", "second one"):
        await decider.decided("data/commits", asked(**shared, **await decider.manifest({"a": text})))

    made = await decider.decided(
        "data/commits", asked(**{**shared, "finalize": True}, **await decider.manifest({"b": "x"}))
    )

    assert made["size"] == len("second one") + 1


async def test_a_link_has_a_version_in_its_target(decider: Decider) -> None:
    """Links to a collection are numbered there; the same version keeps its link until it is removed."""
    contents = [await decider.manifest({"a": text}) for text in ("one", "two")]
    for content in contents:
        await decider.decided("data/commits", asked(type="t", **content))
    target = "ada/model-registry/best of all"

    links = [await decider.decided("data/links", asked(target=target, version=number)) for number in (0, 1, 0)]

    assert [one["target_version"] for one in links] == [0, 1, 0]
    assert [one["digest"] for one in links[:2]] == [content["digest"] for content in contents]
    path = f"/api/v1/artifacts/ada/{decider.project}/data/links"
    removed = await decider.client.delete(path, params=asked(target=target, version=0))
    assert (removed.json()["target_version"], removed.json()["target_decision"]) == (0, 4)
    again = await decider.client.delete(path, params=asked(target=target, version=0))
    assert (again.status_code, again.json()["error"]["code"]) == (404, "not_linked")
    linked = await decider.decided("data/links", asked(target=target, version=0))
    assert linked["target_version"] == 2
    through = await decider.client.post(
        "/api/v1/artifacts/ada/model-registry/best of all/links",
        json=asked(target=f"ada/{decider.project}/chosen", version=1),
    )
    assert (through.json()["name"], through.json()["version"]) == ("data", 1)


REFUSED_LINKS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("data", {"version": 7}, 404),
    ("missing", {"version": 0}, 404),
    ("data", {"target": "ada/p", "version": 0}, 422),
    ("data", {"target": "ada/p/a:v0", "version": 0}, 422),
)


async def test_invalid_links_are_refused(decider: Decider) -> None:
    """A link of an unknown version is 404, one to an invalid target 422."""
    await decider.decided("data/commits", asked(type="t", **await decider.manifest({"a": "one"})))

    found = [
        (await decider.post(f"{name}/links", asked(**{"target": "ada/r/c", **fields}))).status_code
        for name, fields, _ in REFUSED_LINKS
    ]

    assert found == [status for *_, status in REFUSED_LINKS]


async def test_links_and_logged_versions_do_not_share_a_collection(decider: Decider) -> None:
    """A link to a collection of logged versions, a log to a collection of links, and one of another type are 409."""
    content = await decider.manifest({"a": "one"})
    for name, kind in (("data", "t"), ("other", "t"), ("third", "u")):
        await decider.decided(f"{name}/commits", asked(type=kind, **content))
    await decider.decided("data/links", asked(target=f"ada/{decider.project}/links", version=0))

    into_logged = await decider.post("data/links", asked(target=f"ada/{decider.project}/other", version=0))
    into_links = await decider.post("links/commits", asked(type="t", **content))
    other_type = await decider.post("third/links", asked(target=f"ada/{decider.project}/links", version=0))

    found = [(one.status_code, one.json()["error"]["code"]) for one in (into_logged, into_links, other_type)]
    assert found == [(409, "wrong_collection"), (409, "wrong_collection"), (409, "wrong_type")]


async def test_invalid_commits_are_refused(decider: Decider) -> None:
    """Names that cannot be logged, a foreign manifest, registries and upserts without an id are 422."""
    content = await decider.manifest({"a": "one"})
    foreign = {**content, "manifest_key": content["manifest_key"][:-1] + "x"}
    bodies = (
        ("a b", content),
        ("data", foreign),
        ("data", {**content, "digest": "short"}),
        ("data", {**content, "action": "upsert"}),
        ("data", {**content, "type": "a/b"}),
        ("data", {**content, "seq": -1}),
    )
    found = [(await decider.post(f"{name}/commits", {**asked(), **body})).status_code for name, body in bodies]
    path = "/api/v1/artifacts/ada/model-registry/data/commits"
    registry = await decider.client.post(path, json=asked(**content))

    assert {*found, registry.status_code} == {422}


async def test_lost_contributions_are_reported(decider: Decider) -> None:
    """A version whose contribution is missing in the store is refused with a message that names the artifact."""
    shared: dict[str, Any] = {"type": "t", "action": "upsert", "distributed_id": "d"}
    content = await decider.manifest({"a": "one"})
    await decider.decided("data/commits", asked(**shared, **content))
    await decider.store.delete([content["manifest_key"]])

    answer = await decider.post(
        "data/commits", asked(**{**shared, "finalize": True}, **await decider.manifest({"b": "x"}))
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "contribution_lost")
    assert f"ada/{decider.project}/data" in answer.json()["error"]["message"]


async def test_tables_that_are_dropped_are_created_again(decider: Decider, database: str) -> None:
    """After the loss of the schema ``control``, a repeated request succeeds."""
    content = await decider.manifest({"a": "one"})
    await decider.decided("data/commits", asked(type="t", **content))
    connection = await asyncpg.connect(database)
    await connection.execute("drop schema control cascade; delete from runtime.migration where schema = 'control'")
    await connection.close()
    body = asked(type="t", **content)
    await decider.post("data/commits", body)

    assert (await decider.decided("data/commits", body))["version"] == 0


async def test_lost_decisions_continue_from_the_tables_of_the_consumer(decider: Decider, database: str) -> None:
    """Without the schema ``control``, versions keep their numbers and types, and open drafts their contributions."""
    history, draft = ArtifactHistory(), "0" * 31 + "1"
    for content in ("a", "b"):
        history.log("data", content)
    history.delete("data", 1)
    history.link("data", 0, "ada/model-registry/best")
    manifest = await decider.manifest({"f": "text"})
    history.upsert("data", "c", draft)
    history.events[-1] = replace(
        history.events[-1], digest=bytes.fromhex(manifest["digest"]), manifest_key=manifest["manifest_key"]
    )
    async with feeding(ArtifactsConsumer(), database) as feed:
        await feed.apply(*history.events)
    other = replace(decider, project=PROJECT)

    again = await other.decided("data/commits", commit_of("a"))
    assert (again["version"], again["decision"]) == (0, 6)
    assert (await other.decided("data/commits", commit_of("b")))["version"] == 2
    linked = await other.decided("data/links", asked(target="ada/model-registry/best", version=0))
    assert (linked["target_version"], linked["target_decision"]) == (0, 2)
    refused = await other.post("data/commits", commit_of("d") | {"type": "u"})
    assert refused.json()["error"]["code"] == "wrong_type"
    last = asked(type="t", action="upsert", distributed_id="d", finalize=True, **await decider.manifest({"g": "x"}))
    made = await other.decided("data/commits", last)
    assert (UUID(made["draft"]).hex, made["file_count"]) == (draft, 2)


def commit_of(content: str) -> dict[str, Any]:
    """Return a request to log the content of a history."""
    digest = hashlib.sha256(content.encode()).digest()
    return asked(type="t", digest=digest.hex(), manifest_key=object_key("ada", digest), size=1, file_count=1)
