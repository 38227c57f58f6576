"""Records that wait for uploads are delivered afterwards, in order and once, whatever is killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.control_page import ControlPage, Word
from runstream.spool.format import TopicCode
from runstream_schemas.events import FileEvent
from runstream_schemas.topics import Topic
from tests.integration.shipper.runs import RunDir, delivered, events_of
from tests.polling import eventually
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
ROWS = 50


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Return the folder whose files are the finished uploads."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def ship(run_dir: RunDir, uploads: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Return what starts a shipper with a gate."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (run_dir.path / "logs" / "shipper.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.integration.shipper.gated", str(run_dir.path), str(uploads)]
            process = subprocess.Popen(command, env=dict(run_dir.environment), cwd=ROOT, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def spool_with_files(*paths: str) -> SpoolBuilder:
    """Return the spool of a finished writer with files, and rows after them."""
    spool = SpoolBuilder()
    for path in paths:
        spool.append({"path": path}, topic=TopicCode.FILE)
    for number in range(ROWS):
        spool.append({"n": number})
    spool.exit()
    return spool


def files(broker: str, prefix: str, run_dir: RunDir) -> list[tuple[int, str]]:
    """Return seq and path of the file events, in the order of their topic."""
    events = asyncio.run(events_of(broker, prefix, run_dir.run, Topic.FILE))
    return [(event.header.seq, event.path) for event in events if isinstance(event, FileEvent)]


def pending(run_dir: RunDir) -> int:
    """Return the records that are not acknowledged, as the training process sees it."""
    with ControlPage(run_dir.path / "control") as control:
        return control[Word.PENDING]


def account(run_dir: RunDir, writer: bytes) -> dict[str, Any]:
    """Return what the ledger has of a writer."""
    try:
        (cluster,) = json.loads((run_dir.path / "delivery.json").read_text())["clusters"].values()
    except (FileNotFoundError, ValueError):
        return {}
    return dict(cluster["writers"].get(writer.hex(), {}))


def test_records_wait_for_their_uploads(
    run_dir: RunDir, uploads: Path, ship: Callable[[], subprocess.Popen[bytes]], broker: str, prefix: str
) -> None:
    """Rows pass files whose uploads are not done; a later file waits for an earlier one; segments stay until then."""
    writer = run_dir.add_writer(spool_with_files("a", "b"))
    shipper = ship()
    eventually(lambda: account(run_dir, writer).get("acked", {}).get("log") == ROWS and pending(run_dir) == 2)
    (uploads / "b").touch()
    before = files(broker, prefix, run_dir)
    segments = list((run_dir.path / "spool").rglob("*.seg"))

    (uploads / "a").touch()

    assert shipper.wait(120) == 0, run_dir.log()
    assert (before, len(segments)) == ([], 1)
    assert files(broker, prefix, run_dir) == [(0, "a"), (1, "b")]
    assert list((run_dir.path / "spool").rglob("*.seg")) == []
    ending = delivered(broker, prefix, run_dir.run).exits()[writer].ending
    assert (ending.counts[Topic.FILE], ending.counts[Topic.LOG]) == (2, ROWS)


def test_killed_shipper_resumes_waiting(
    run_dir: RunDir, uploads: Path, ship: Callable[[], subprocess.Popen[bytes]], broker: str, prefix: str
) -> None:
    """After a kill, the next shipper waits for the uploads of the records that are not acknowledged."""
    writer = run_dir.add_writer(spool_with_files("a", "b", "c"))
    (uploads / "a").write_bytes(b"12345")
    first = ship()
    eventually(lambda: account(run_dir, writer).get("acked", {}).get("file") == 1)
    first.kill()
    first.wait()
    (uploads / "a").unlink()
    second = ship()
    eventually(lambda: pending(run_dir) == 2)

    for name in "bc":
        (uploads / name).touch()

    assert second.wait(120) == 0, run_dir.log()
    assert files(broker, prefix, run_dir) == [(0, "a"), (1, "b"), (2, "c")]
    assert delivered(broker, prefix, run_dir.run).rows(writer) == [{"n": number} for number in range(ROWS)]


def test_upload_that_is_done_first_delays_nothing(
    run_dir: RunDir, uploads: Path, ship: Callable[[], subprocess.Popen[bytes]], broker: str, prefix: str
) -> None:
    """If all uploads are done, the run is delivered as usual."""
    (uploads / "a").touch()
    run_dir.add_writer(spool_with_files("a"))

    assert ship().wait(120) == 0, run_dir.log()
    assert files(broker, prefix, run_dir) == [(0, "a")]
