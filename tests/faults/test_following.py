"""A live run is followed by server-sent events while everything between the topic and the follower is killed."""

from __future__ import annotations

import sys
import threading
import uuid
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.runtime.rebuild import reset
from runstream_deploy.processes.child import Command
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.topics import ensure_topics
from runstream_schemas.topics import RunPath
from tests.conftest import run_aside
from tests.faults.killed import Killed, running
from tests.faults.test_compactor_kills import LIVES_S, compactor_command
from tests.integration.api.event_stream import Event, EventStream
from tests.integration.api.recording import Recording
from tests.integration.api.serving import ENTITY, PARTITIONS, Served, path, serving
from tests.integration.runtime.ledger import QUICK, fetch, settings_of
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres

_BLOCK = 20
#: A killed consumer is replaced once the brokers miss its heartbeats, after ten seconds.
_CONSUMER_LIVES_S = (6.0, 9.0)
_API_LIVES_S = (2.5, 4.5)


class Follower(threading.Thread):
    """Follows a run until its end, from the last id whenever the stream breaks off."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._stream = EventStream(url)
        self.events: list[Event] = []
        self.rows: list[dict[str, Any]] = []
        self._stopping = threading.Event()
        #: Streams that had rows.
        self.streams = 0

    def run(self) -> None:
        """Receive events until the last one."""
        while not self._stopping.is_set() and not (self.events and self.events[-1].name == "end"):
            before = len(self.rows)
            with suppress(httpx.TransportError):
                for event in self._stream.events():
                    self.events.append(event)
                    self.rows += event.data["rows"] if event.name == "rows" else []
            self.streams += len(self.rows) > before
            self._stopping.wait(0.1)

    def stop(self) -> None:
        """Stop once the present stream ends."""
        self._stopping.set()
        self.join()


class Publisher(threading.Thread):
    """Publishes rows of two writers in small blocks until it is stopped, and then the ends of the writers."""

    def __init__(self, served: Served, writers: list[Recording]) -> None:
        super().__init__(daemon=True)
        self._served, self._writers = served, writers
        self._stopping = threading.Event()
        #: In the order of their offsets.
        self.published: list[int] = []

    def run(self) -> None:
        """Publish a few hundred rows a second."""
        while not self._stopping.is_set():
            for writer in self._writers:
                for _ in range(3):
                    first = len(self.published)
                    rows = [{"at": step, "deep": {"loss": step / 7}} for step in range(first, first + _BLOCK)]
                    writer.rows(rows, first_step=first)
                    self.published += range(first, first + _BLOCK)
            self._served.publish(*self._writers)
            self._stopping.wait(0.2)
        self._served.publish(*(writer.exit() for writer in self._writers))

    def stop(self) -> None:
        """Publish the ends."""
        self._stopping.set()
        self.join()


@contextmanager
def ending(*threads: Follower | Publisher) -> Iterator[None]:
    """End threads that were started after the block: later tests must not run beside them."""
    try:
        yield
    finally:
        for thread in threads:
            if thread.is_alive():
                thread.stop()


def test_a_follower_gets_every_event_once_whatever_is_killed(
    broker: str,
    postgres: Postgres,
    object_store: ObjectStore,
    reaper: Reaper,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Rows in the order of their offsets across kills of compactor, consumer and API, compactions and a replay."""
    prefix, folder = f"f{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("following")
    run_aside(ensure_topics(broker, prefix, partitions=PARTITIONS))
    run_aside(postgres.ensure_database(prefix))
    dsn = postgres.address(prefix)
    run_aside(prepare_tables(HistoryConsumer(), dsn))
    run = RunPath(entity=ENTITY, project="digits", run_id="followed")
    writers = [Recording(run, uuid.uuid4().bytes, label=f"rank {rank}").start({}).beat() for rank in range(2)]
    with serving(broker, prefix, dsn, reaper, folder, consumers=("summary", "liveness"), store=object_store) as served:
        served.publish(*writers)
        eventually(lambda: served.ask(f"/api/v1/runs{path(run)}").status_code == 200)
        api = ApiProcess(choose_port(), served.settings)
        arguments = [sys.executable, "-m", "runstream_consumers.runtime", "history"]
        history = Command(arguments=arguments, environment=served.settings)
        command = compactor_command(served.settings)
        compactors = Killed(command, folder / "compactor.log", reaper, lives_s=LIVES_S)
        follower, publisher = Follower(f"{api.url}/api/v1/runs{path(run)}/follow"), Publisher(served, writers)
        received = partial(len, follower.rows)
        apis = Killed(api.command(), folder / "killed-api.log", reaper, lives_s=_API_LIVES_S, progress=received)
        consumers = Killed(history, folder / "history.log", reaper, lives_s=_CONSUMER_LIVES_S, progress=received)
        with ending(follower, publisher), running(apis, consumers, compactors):
            follower.start()
            publisher.start()
            eventually(lambda: consumers.kills >= 1 and len(follower.rows) > 200)
            consumers.stop_killing()
            run_aside(_replay(broker, prefix, dsn))
            eventually(lambda: apis.kills >= 3 and compactors.kills >= 3 and follower.streams >= 2)
            compactors.stop_killing()
            eventually(lambda: _parts(dsn) > 0)
            publisher.stop()
            apis.stop_killing()
            follower.join(120)
        assert not follower.is_alive()
        assert [row["at"] for row in follower.rows] == publisher.published
        assert all(row["deep"] == {"loss": row["at"] / 7} for row in follower.rows)
        states = [event.data for event in follower.events if event.name == "state"]
        sent = [transition for state in states for transition in state["transitions"]]
        assert sent == served.get(f"/api/v1/runs{path(run)}/state")["transitions"]
        assert _parts(dsn) > 0


def _parts(dsn: str) -> int:
    [found] = run_aside(fetch(dsn, "select count(*) as parts from history.archive_part"))
    return int(found["parts"])


async def _replay(broker: str, prefix: str, dsn: str) -> None:
    """Drop the history and let its consumer read the topic again, while readers and the compactor use it."""
    await reset(HistoryConsumer(), settings_of(broker, prefix, dsn), QUICK, start=None)
