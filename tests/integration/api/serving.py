"""The consumers and the API as processes, with a broker and a database of the test."""

from __future__ import annotations

import io
import sys
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from runstream_deploy.processes.child import Child, Command
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.object_store import ensure_bucket
from runstream_deploy.services.service import wait_until_ready
from runstream_deploy.services.topics import ensure_topics
from tests.conftest import run_aside
from tests.integration.api.recording import Recording, publish
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres
    from runstream_schemas.topics import RunPath

TOKEN = "token-of-the-tests"  # not a secret
ENTITY = "ada"
PARTITIONS = 2
_CONSUMERS = ("history", "summary", "liveness", "alerts", "artifacts", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running API, and its topics."""

    url: str
    broker: str
    prefix: str
    #: Has a bucket named like the prefix; None if the API has no store.
    object_store: ObjectStore | None = None
    #: The environment of its processes.
    settings: Mapping[str, str] = field(default_factory=dict)

    def ask(self, path: str, *, token: str | None = TOKEN, method: str = "GET", **parameters: Any) -> httpx.Response:
        """Return the response to a request without a body."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.request(method, f"{self.url}{path}", params=parameters, headers=headers, timeout=120)

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of a GET; raise AssertionError if the status is not 200."""
        answer = self.ask(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, content: Any = None) -> httpx.Response:
        """Return the response to a POST of JSON."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.post(f"{self.url}{path}", json=content, headers=headers, timeout=120)

    def run(self, recording: Recording, part: str = "", **parameters: Any) -> Any:
        """Return a run, or a part of it."""
        return self.get(f"/api/v1/runs{path(recording.run)}{part}", **parameters)

    def store(self, *recordings: Recording) -> None:
        """Publish the recorded events, and wait until the owners of their topics have stored them."""
        self.publish(*recordings)
        eventually(lambda: all(self._stored(one) == one.counts for one in recordings))

    def publish(self, *recordings: Recording) -> None:
        """Publish the recorded events, once the contents of their files are in the store."""
        for key, content in [item for one in recordings for item in one.contents.items()]:
            assert self.object_store is not None
            self.object_store.client().put_object(self.prefix, key, io.BytesIO(content), len(content))
        run_aside(publish(self.broker, self.prefix, PARTITIONS, recordings))

    def _stored(self, recording: Recording) -> dict[str, int]:
        delivery = self.run(recording, "/delivery")
        found = [one for one in delivery["writers"] if one["writer"] == recording.id.hex()]
        assert len(found) == 1
        known = {name: topic["stored"] + topic["lost"] for name, topic in found[0]["topics"].items()}
        return {name: count for name, count in known.items() if count}


def path(run: RunPath) -> str:
    """Return the quoted path of a run."""
    return "".join(f"/{quote(part, safe='')}" for part in (run.entity, run.project, run.run_id))


@contextmanager
def serving(
    broker: str,
    prefix: str,
    dsn: str,
    reaper: Reaper,
    folder: Path,
    *,
    consumers: Sequence[str] = _CONSUMERS,
    store: ObjectStore | None = None,
) -> Iterator[Served]:
    """Run the consumers and the API until the block ends; ``store`` gets a bucket named like the prefix."""
    settings = {
        "RUNSTREAM_KAFKA": broker,
        "RUNSTREAM_POSTGRES": dsn,
        "RUNSTREAM_PREFIX": prefix,
        "RUNSTREAM_PARTITIONS": str(PARTITIONS),
        "RUNSTREAM_ENTITY": ENTITY,
        "RUNSTREAM_TOKEN": TOKEN,
        "RUNSTREAM_TICK_KEY": "00ff",
    }
    if store is not None:
        run_aside(ensure_bucket(store.client(), prefix))
        settings |= {
            "RUNSTREAM_S3_ENDPOINT": store.endpoint,
            "RUNSTREAM_S3_ACCESS_KEY": store.access_key,
            "RUNSTREAM_S3_SECRET_KEY": store.secret_key,
            "RUNSTREAM_S3_BUCKET": prefix,
        }
    with ExitStack() as stack:
        for name in consumers:
            arguments = [sys.executable, "-m", "runstream_consumers.runtime", name]
            child = Child(Command(arguments=arguments, environment=settings), folder / f"{name}.log", reaper)
            stack.callback(child.stop)
        url = stack.enter_context(running_api(settings, reaper, folder))
        served = Served(url=url, broker=broker, prefix=prefix, object_store=store, settings=settings)
        eventually(lambda: served.ask("/api/v1/runs").status_code == httpx.codes.OK)
        yield served


@contextmanager
def served_anew(  # noqa: PLR0917 - the fixtures of servers
    broker: str,
    postgres: Postgres,
    object_store: ObjectStore,
    reaper: Reaper,
    folder: Path,
    consumers: Sequence[str] = _CONSUMERS,
) -> Iterator[Served]:
    """Run consumers and an API over empty topics, an empty database and an empty bucket until the block ends."""
    prefix = f"api{uuid.uuid4().hex[:10]}"
    run_aside(ensure_topics(broker, prefix, partitions=PARTITIONS))
    run_aside(postgres.ensure_database(prefix))
    dsn = postgres.address(prefix)
    with serving(broker, prefix, dsn, reaper, folder, consumers=consumers, store=object_store) as served:
        yield served


@contextmanager
def running_api(settings: Mapping[str, str], reaper: Reaper, folder: Path) -> Iterator[str]:
    """Run an API until the block ends; yield its URL."""
    api = ApiProcess(choose_port(), settings)
    log = folder / "api.log"
    child = Child(api.command(), log, reaper)
    try:
        run_aside(wait_until_ready(api, child.exit_code, log))
        yield api.url
    finally:
        child.stop()
