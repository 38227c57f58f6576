"""Artifacts from decisions and events to the routes that read them, and commands about them."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream_consumers.server.app import create_app
from runstream_consumers.settings import ServerSettings
from runstream_schemas import values
from runstream_schemas.events import ArtifactAction, ArtifactEvent, Header, Kind, Role, Writer
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath
from tests.conftest import run_aside
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import ENTITY, PARTITIONS, TOKEN
from tests.integration.summary.feeding import feed
from tests.polling import eventually

if TYPE_CHECKING:
    from runstream_consumers.api.artifact_expiry import ArtifactExpiry
    from runstream_deploy.services.postgres import Postgres
    from tests.integration.api.serving import Served

_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(slots=True)
class Shipper:
    """Logs artifacts as a shipper does: it requests a decision, and publishes the event."""

    served: Served
    project: str
    run: str = "one"

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Return the response to a request, given the path below ``/api/v1``."""
        url = f"{self.served.url}/api/v1{path}"
        return httpx.request(method, url, json=body, headers=_TOKEN, timeout=120)

    def command(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the response to a command; raise AssertionError if it is refused."""
        answer = self.request(method, path, body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def log(self, name: str, content: str, **fields: Any) -> int:
        """Log an artifact, and return its version once it can be read."""
        writer = uuid.uuid4()
        decided = self.decide(name, content, writer)
        version: int = decided["version"]
        known = {field: decided[field] for field in ("type", "manifest_key", "size", "file_count")}
        path = RunPath(entity=ENTITY, project=self.project, run_id=self.run)
        event = ArtifactEvent(
            header=Header(kind=Kind.DATA, run=path, writer=Writer(id=writer.bytes, role=Role.PRIMARY), time=1),
            action=ArtifactAction.LOG,
            name=name,
            digest=bytes.fromhex(decided["digest"]),
            version=version,
            decision=decided["decision"],
            **known,
            **fields,
        )
        run_aside(feed(self.served.broker, self.served.prefix, [event]))
        self.read(f"/artifacts/{ENTITY}/{self.project}/{name}:v{version}")
        return version

    def decide(self, name: str, content: str, writer: uuid.UUID | None = None) -> dict[str, Any]:
        """Return the decision about content that is logged."""
        digest = hashlib.sha256(content.encode()).digest()
        known = {"type": "dataset", "manifest_key": object_key(ENTITY, digest), "size": 3, "file_count": 1}
        body = {**known, "digest": digest.hex(), "writer": (writer or uuid.uuid4()).hex, "seq": 0}
        return self.command("POST", f"/artifacts/{ENTITY}/{self.project}/{name}/commits", body)

    def read(self, path: str) -> dict[str, Any]:
        """Return the JSON of a route once it responds with success."""
        found: list[dict[str, Any]] = []

        def succeeds() -> bool:
            answer = self.request("GET", path)
            found.append(answer.json())
            return answer.status_code == 200

        eventually(succeeds)
        return found[-1]

    def shows(self, path: str, **expected: Any) -> dict[str, Any]:
        """Return the JSON of a route once it has these fields."""
        eventually(lambda: expected.items() <= self.read(path).items())
        return self.read(path)


@pytest.fixture
def shipper(served: Served) -> Shipper:
    """Return a shipper of a new project."""
    return Shipper(served, f"p{uuid.uuid4().hex[:8]}")


def test_a_logged_artifact_is_read_in_every_way(shipper: Shipper) -> None:
    """A version is found by alias, number and digest, in lists, and from the run that logged it."""
    place = f"{ENTITY}/{shipper.project}"
    shipper.log("data", "a", aliases=["first"], tags=["x"], metadata=values.dump({"rows": 3}), description="d")
    shipper.log("data", "b")

    latest = shipper.read(f"/artifacts/{place}/data")
    first = shipper.read(f"/artifacts/{place}/data:first")
    assert (latest["version"], latest["aliases"], latest["state"]) == (1, ["latest"], "committed")
    assert (first["version"], first["type"], first["tags"]) == (0, "dataset", ["x"])
    assert (first["metadata"], first["description"]) == ({"rows": 3}, "d")
    assert first["logged_by"] == f"{place}/one"
    assert shipper.read(f"/artifacts/{place}/data:{first['digest']}") == first
    assert shipper.read(f"/artifact-types/{place}") == {"types": [{"type": "dataset", "collections": 1}]}
    page = shipper.read(f"/artifact-versions/{place}/data?limit=1")
    assert ([one["version"] for one in page["artifacts"]], page["next"]) == ([1], "1")
    rest = shipper.read(f"/artifact-versions/{place}/data?limit=1&after=1")
    assert [one["version"] for one in rest["artifacts"]] == [0]
    collection = shipper.read(f"/artifact-collections/{place}/data")
    assert (collection["versions"], collection["aliases"]) == (2, {"first": 0, "latest": 1})
    assert shipper.read(f"/artifact-collections/{place}?type=dataset")["collections"] == [collection]
    assert shipper.read(f"/artifact-collections/{place}?type=model")["collections"] == []
    logged = shipper.read(f"/runs/{place}/one/artifacts")["artifacts"]
    assert [(one["name"], one["version"]) for one in logged] == [("data", 0), ("data", 1)]
    assert [one["run_id"] for one in shipper.read(f"/artifacts/{place}/data/logged-by")["runs"]] == ["one"]


def test_commands_change_and_delete_versions(shipper: Shipper) -> None:
    """Aliases, tags and texts change; a version with aliases is deleted only on request, and ``latest`` moves."""
    place = f"{ENTITY}/{shipper.project}"
    for content in ("a", "b"):
        shipper.log("data", content, tags=["old"])
    path = f"/artifacts/{place}/data:v1"

    change = {
        "aliases": {"add": ["best"]},
        "tags": {"add": ["new"], "remove": ["old"]},
        "metadata": {"k": None},
        "ttl_s": 60,
    }
    shipper.command("PATCH", path, change)
    shown = shipper.shows(path, aliases=["best", "latest"], tags=["new"], metadata={"k": None}, ttl_s=60)
    assert shown["expires_at"] is None
    refused = shipper.request("DELETE", path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "has_aliases")
    shipper.command("DELETE", f"{path}?delete_aliases=true")
    eventually(lambda: shipper.request("GET", path).status_code == 404)
    assert "was deleted" in shipper.request("GET", path).json()["error"]["message"]
    shipper.shows(f"/artifacts/{place}/data:latest", version=0)
    assert shipper.log("data", "b") == 2
    shipper.command("PATCH", f"/artifact-collections/{place}/data", {"description": "all", "tags": {"add": ["t"]}})
    shipper.shows(f"/artifact-collections/{place}/data", description="all", tags=["t"])
    shipper.command("DELETE", f"/artifact-collections/{place}/data")
    eventually(lambda: shipper.request("GET", f"/artifact-collections/{place}/data").status_code == 404)
    assert shipper.log("data", "b") == 3


def test_versions_are_linked_to_registries(shipper: Shipper) -> None:
    """A link is a version of its target with the properties of its source; changes of it change the source."""
    place, name = f"{ENTITY}/{shipper.project}", f"models {shipper.project}"
    shipper.log("data", "a", tags=["x"])
    target = f"{ENTITY}/wandb-registry-model/{name}"

    shipper.command("POST", f"/artifacts/{place}/data/links", {"target": target, "version": 0, "aliases": ["prod"]})
    link = shipper.read(f"/artifacts/{target}:prod")
    source = shipper.shows(f"/artifacts/{place}/data:v0", links=[{**_place(target), "version": 0}])
    assert (link["version"], link["tags"], link["digest"]) == (0, ["x"], source["digest"])
    assert link["source"] == {"entity": ENTITY, "project": shipper.project, "name": "data", "version": 0}
    shipper.command("PATCH", f"/artifacts/{target}:v0", {"aliases": {"add": ["new"]}, "description": "d"})
    shipper.shows(f"/artifacts/{target}:v0", aliases=["latest", "new", "prod"], description="d")
    shipper.shows(f"/artifacts/{place}/data:v0", aliases=["latest"], description="d")
    assert shipper.request("DELETE", f"/artifacts/{place}/data:v0").status_code == 409
    shipper.command("DELETE", f"/artifacts/{place}/data/links?target={target}&version=0")
    eventually(lambda: shipper.request("GET", f"/artifacts/{target}:v0").status_code == 404)
    shipper.command("POST", f"/artifacts/{place}/data/links", {"target": target, "version": 0})
    shipper.shows(f"/artifacts/{target}:latest", version=1)
    found = shipper.read(f"/artifact-registries/{ENTITY}")["registries"]
    assert "wandb-registry-model" in {one["project"] for one in found}


def test_runs_are_recorded_as_users_of_a_version(shipper: Shipper) -> None:
    """A command records an output of a run of the same project, and an input of any run."""
    place, other = f"{ENTITY}/{shipper.project}", f"q{uuid.uuid4().hex[:8]}"
    shipper.log("data", "a")
    shipper.served.store(*(new_recording("run", project=project).start({}) for project in (shipper.project, other)))
    named = {"entity": ENTITY, "project": shipper.project, "name": "data:latest"}

    shipper.command("POST", f"/runs/{place}/run/artifacts", {"action": "log", **named, "aliases": ["again"]})
    shipper.command("POST", f"/runs/{ENTITY}/{other}/run/artifacts", {"action": "use", **named, "use_as": "in"})

    shipper.shows(f"/artifacts/{place}/data:again", version=0)
    eventually(lambda: len(shipper.read(f"/artifacts/{place}/data/used-by")["runs"]) == 1)
    (user,) = shipper.read(f"/artifacts/{place}/data/used-by")["runs"]
    assert (user["project"], user["use_as"]) == (other, "in")
    makers = [one["run_id"] for one in shipper.read(f"/artifacts/{place}/data/logged-by")["runs"]]
    assert makers == ["one", "run"]
    used = shipper.read(f"/runs/{ENTITY}/{other}/run/artifacts?direction=used")["artifacts"]
    assert [(one["name"], one["use_as"]) for one in used] == [("data", "in")]
    refused = shipper.request("POST", f"/runs/{ENTITY}/{other}/run/artifacts", {"action": "log", **named})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "other_project")


def test_versions_expire_after_their_lifetime(shipper: Shipper, postgres: Postgres) -> None:
    """Expired versions are deleted, unless they have an alias, or a decision about them is not published yet."""
    place, served = f"{ENTITY}/{shipper.project}", shipper.served
    for content, fields in (("a", {}), ("b", {"aliases": ["keep"]}), ("c", {})):
        shipper.log("data", content, ttl_s=60, **fields)
    settings = ServerSettings(
        kafka=served.broker, prefix=served.prefix, postgres=postgres.address(served.prefix), partitions=PARTITIONS
    )
    shipper.decide("data", "not published yet")

    async def expire(later_s: int) -> int:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            expiry: ArtifactExpiry = app.state.services.artifact_expiry
            return await expiry.expire(time.time_ns() // 1000 + later_s * 1_000_000)

    assert run_aside(expire(0)) == 0
    assert run_aside(expire(100)) == 0
    shipper.log("data", "not published yet")
    run_aside(expire(100))
    eventually(lambda: shipper.request("GET", f"/artifacts/{place}/data:v0").status_code == 404)
    eventually(lambda: shipper.request("GET", f"/artifacts/{place}/data:v2").status_code == 404)
    assert shipper.read(f"/artifacts/{place}/data:keep")["version"] == 1


REFUSED: tuple[tuple[str, str, dict[str, Any] | None, int], ...] = (
    ("GET", "/artifacts/{place}/none", None, 404),
    ("GET", "/artifacts/{place}/data:v9", None, 404),
    ("GET", "/artifacts/{place}/data:a:b", None, 422),
    ("GET", "/artifact-collections/{place}/none", None, 404),
    ("GET", "/artifact-versions/{place}/none", None, 404),
    ("PATCH", "/artifacts/{place}/data", {"aliases": {"add": ["latest"]}}, 422),
    ("PATCH", "/artifacts/{place}/data", {"aliases": {"add": ["v3"]}}, 422),
    ("PATCH", "/artifacts/{place}/data", {"aliases": {"add": ["a/b"]}}, 422),
    ("PATCH", "/artifacts/{place}/data", {"tags": {"add": ["a,b"]}}, 422),
    ("PATCH", "/artifacts/{place}/data", {"unknown": 1}, 422),
    ("PATCH", "/artifacts/{place}/data", {"metadata": {"long": "x" * 1_100_000}}, 422),
    ("PATCH", "/artifacts/{place}/data", {"metadata": {"deep": json.loads("[" * 70 + "]" * 70)}}, 422),
    ("PATCH", "/artifact-collections/{place}/data", {"metadata": {}}, 422),
    ("DELETE", "/artifacts/{place}/data:v9", None, 404),
    ("DELETE", "/artifact-collections/{place}/none", None, 404),
    ("POST", "/runs/{place}/none/artifacts", {"action": "use", "entity": "e", "project": "p", "name": "n"}, 404),
    ("GET", "/artifacts/{place}/data/manifest", None, 410),
)


def test_invalid_requests_are_refused(shipper: Shipper) -> None:
    """Unknown artifacts are 404, invalid names and reserved aliases and too large texts 422, lost manifests 410."""
    shipper.log("data", "a")
    place = f"{ENTITY}/{shipper.project}"

    found = [shipper.request(method, path.format(place=place), body) for method, path, body, _ in REFUSED]

    assert [answer.status_code for answer in found] == [status for *_, status in REFUSED]


def _place(target: str) -> dict[str, str]:
    entity, project, name = target.split("/")
    return {"entity": entity, "project": project, "name": name}
