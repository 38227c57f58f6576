"""Run folders built by hand, a server that answers /connect, and the events on the topics."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream.run_folder.process_identity import Host, process_start
from runstream.spool.control_page import ControlPage
from runstream_schemas.codec import decode
from runstream_schemas.events import ChangeEvent, ExitEvent, HeartbeatEvent, Kind, LogEvent
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runstream_schemas.events import Event
    from tests.unit.shipper.spools import SpoolBuilder

PARTITIONS = 2


@dataclass
class Server:
    """A server that returns the broker's address."""

    url: str
    answer: dict[str, Any]
    environment: dict[str, str]
    #: Paths of the requests so far.
    asked: list[str]
    #: Stops it; a second call does nothing.
    close: Callable[[], None]


@contextmanager
def serving(broker: str, prefix: str, folder: Path, *, port: int = 0) -> Iterator[Server]:
    """Answer GET /api/v1/connect and requests for the run's number as the HTTP API does.

    Without a number, the end of each delivery would wait for it.
    """
    answer: dict[str, Any] = {
        "api_version": 1,
        "cluster_id": f"cluster-{prefix}",
        "brokers": broker,
        "prefix": prefix,
        "partitions": PARTITIONS,
        "entity": "team",
        "url": "http://127.0.0.1",
        "heartbeat_interval_s": 0.5,
        "limits": {},
    }
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self._respond(answer)

        def do_POST(self) -> None:
            self._respond({"number": 1})

        def _respond(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(answer.get("status", 200))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Keep quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RUNSTREAM_", "WANDB_"))},
        "RUNSTREAM_URL": f"http://127.0.0.1:{httpd.server_port}",
        "RUNSTREAM_DATA_DIR": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        # This server has no routes for objects, so that files of metadata would be lost.
        "RUNSTREAM_X_DISABLE_META": "true",
    }

    def close() -> None:
        httpd.shutdown()
        httpd.server_close()
        thread.join()

    try:
        yield Server(environment["RUNSTREAM_URL"], answer, environment, asked, close)
    finally:
        close()


@dataclass
class RunDir:
    """A run folder, made by hand."""

    path: Path
    run_id: str
    environment: Mapping[str, str]

    @property
    def run(self) -> RunPath:
        """The run that the events name."""
        return RunPath(entity="team", project="project", run_id=self.run_id)

    def add_writer(
        self,
        spool: SpoolBuilder,
        *,
        pid: int = 0,
        role: str = "primary",
        label: str = "",
        segments: int = 1,
        size: int = 1 << 16,
    ) -> bytes:
        """Add a writer with a spool, of a running process or, without a pid, of one that has exited."""
        writer = secrets.token_bytes(16)
        folder = self.path / "spool" / writer.hex()
        host = Host.here()
        info = {
            "version": 1,
            "role": role,
            "pid": pid,
            "pid_started": process_start(pid) if pid else 1,
            "boot_id": host.boot_id,
            "created": time.time_ns() // 1000,
            "host": host.name,
            "label": label,
            "continues": [],
        }
        spool.writer = writer
        spool.write(folder, segments=segments, size=size)
        (folder / "writer.json").write_text(json.dumps(info))
        return writer

    def ship(self) -> subprocess.Popen[bytes]:
        """Start a shipper."""
        return self.start("runstream.shipper", "shipper.log")

    def start(self, module: str, log: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start a program on this folder that prints to a log of it, with more arguments of ``Popen``."""
        with (self.path / "logs" / log).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", module, str(self.path)],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **more,
            )

    def ship_to_end(self, *, within: float = 120) -> int:
        """Run a shipper until it stops, and return its exit status."""
        process = self.ship()
        try:
            return process.wait(within)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def log(self) -> str:
        """Return the log of the shippers."""
        return (self.path / "logs" / "shipper.log").read_text()


def new_run(folder: Path, environment: Mapping[str, str], **settings: Any) -> RunDir:
    """Create a run folder without writers, and by default without system metrics."""
    run_id = f"r{secrets.token_hex(4)}"
    path = folder / "runstream" / f"run-20261121_040000-{run_id}"
    (path / "spool").mkdir(parents=True)
    (path / "logs").mkdir()
    (path / "files").mkdir()
    info = {
        "version": 1,
        "run_id": run_id,
        "entity": None,
        "project": "project",
        "mode": "online",
        "started": time.time_ns() // 1000,
        "name": "a-run",
        "program": "train.py",
        "host": socket.gethostname(),
        "label": "",
        "settings": {"capture_system_metrics": False, **settings},
        "url": None,
    }
    (path / "run.json").write_text(json.dumps(info))
    ControlPage(path / "control").close()
    return RunDir(path, run_id, environment)


async def events_of(broker: str, prefix: str, run: RunPath, *topics: Topic) -> list[Event]:
    """Return all events of a run on its partition, by topic and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    found: list[Event] = []
    try:
        for topic in topics:
            place = TopicPartition(topic_name(prefix, topic), partition_of(run, PARTITIONS))
            consumer.assign([place])
            consumer.seek(place, 0)
            end = (await consumer.end_offsets([place]))[place]
            while await consumer.position(place) < end:
                batches = await consumer.getmany(place, timeout_ms=500)
                found += [decode(topic, message.value) for message in batches.get(place, [])]
    finally:
        await consumer.stop()
    return [event for event in found if event.run == run]


@dataclass
class Delivered:
    """The events of a run, as a consumer that trims by seq sees them."""

    events: list[Event]

    def rows(self, writer: bytes) -> list[dict[str, Any] | None]:
        """Return the rows of a writer by seq, None for those marked as missing; fail if a number is left out."""
        rows: list[dict[str, Any] | None] = []
        for event in self.events:
            if isinstance(event, LogEvent) and event.writer.id == writer:
                assert event.seq <= len(rows), f"rows {len(rows)} to {event.seq} are left out"
                values: list[dict[str, Any] | None] = [None] * event.count
                if event.kind is Kind.DATA:
                    values = list(unpack_rows(event))
                overlap = len(rows) - event.seq
                assert rows[event.seq :] == values[:overlap][: len(rows) - event.seq] or overlap > event.count
                rows += values[overlap:]
        return rows

    def changes(self, writer: bytes, topic: Topic) -> list[Any]:
        """Return the entries of a writer's changes, record by record."""
        records: list[Any] = []
        for event in self.events:
            if isinstance(event, ChangeEvent) and event.topic is topic and event.writer.id == writer:
                assert event.seq <= len(records)
                records += [record.entries for record in event.records][len(records) - event.seq :]
        return records

    def exits(self) -> dict[bytes, ExitEvent]:
        """Return the exit of each writer; fail if two differ."""
        exits: dict[bytes, ExitEvent] = {}
        for event in self.events:
            if isinstance(event, ExitEvent):
                assert exits.setdefault(event.writer.id, event) == event
        return exits

    def heartbeats(self, kind: Kind) -> list[HeartbeatEvent]:
        """Return beats or goodbyes."""
        return [event for event in self.events if isinstance(event, HeartbeatEvent) and event.kind is kind]

    def writers(self, role: str) -> list[bytes]:
        """Return the writers of a role, in order of appearance."""
        return list(dict.fromkeys(event.writer.id for event in self.events if event.writer.role.value == role))


def delivered(broker: str, prefix: str, run: RunPath) -> Delivered:
    """Return the events of a run."""
    topics = (Topic.LOG, Topic.CONFIG, Topic.SUMMARY, Topic.HEARTBEAT, Topic.EXIT)
    return Delivered(asyncio.run(events_of(broker, prefix, run, *topics)))
