"""Errors within the shipper: the run still ends, and another shipper is started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.json_files import read_json
from runstream.shipper.sync import State, deliver_all
from runstream.shipper.writers import writer_tail
from runstream.spool.control_page import Phase, Word
from runstream_schemas.events import ExitState, Kind
from runstream_schemas.topics import Topic
from tests.integration.shipper.runs import RunDir, Server, delivered, new_run
from tests.integration.shipper.test_guardian import guard, word
from tests.unit.shipper.spools import SpoolBuilder, record_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.assembly.tally import Tally

ROWS = 20

#: Loaded by every Python process that finds it: makes the first shipper's background task fail.
FAULT = """
import os, sys

if "runstream.shipper" in sys.orig_argv:
    from runstream.shipper.writers import stop_requests

    async def fail(self):
        raise RuntimeError("injected fault")

    marker = os.environ["FAULT_MARKER"]
    if not os.path.exists(marker):
        open(marker, "w").close()
        stop_requests.StopRequestPoller.run = fail
"""


def killed(rows: int = ROWS) -> SpoolBuilder:
    """Return the spool of a writer that was killed."""
    spool = SpoolBuilder()
    for number in range(rows):
        spool.append({"n": number})
    return spool


def sync(run_dir: RunDir) -> State:
    """Deliver the run folder in this process."""
    (result,) = deliver_all([run_dir.path], environ=run_dir.environment)
    return result.state


def test_failed_background_task_restarts_the_shipper(server: Server, tmp_path: Path, broker: str, prefix: str) -> None:
    """An unexpected error in a background task ends the shipper with an error; the next one delivers everything."""
    (tmp_path / "fault").mkdir()
    (tmp_path / "fault" / "sitecustomize.py").write_text(FAULT)
    marker = tmp_path / "failed"
    environment = {**server.environment, "FAULT_MARKER": str(marker), "PYTHONPATH": str(tmp_path / "fault")}
    run_dir = new_run(tmp_path, environment)
    writer = run_dir.add_writer(killed())

    status = guard(run_dir).wait(120)

    assert (status, marker.exists()) == (0, True)
    assert "the shipper ended with 1; starting another" in (run_dir.path / "logs" / "guardian.log").read_text()
    assert "injected fault" in run_dir.log()
    assert word(run_dir, Word.PHASE) == Phase.DELIVERED
    assert delivered(broker, prefix, run_dir.run).rows(writer) == [{"n": number} for number in range(ROWS)]


def test_uncountable_spool_still_gets_an_exit(
    run_dir: RunDir, broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If finding out how a writer ended fails unexpectedly, its exit follows once the spool is read; the run ends."""

    def fail(*_: object) -> Tally:
        raise RuntimeError("injected fault")

    monkeypatch.setattr(writer_tail, "tally", fail)
    writer = run_dir.add_writer(killed())

    assert sync(run_dir) is State.DELIVERED
    found = delivered(broker, prefix, run_dir.run)
    ending = found.exits()[writer].ending
    assert (ending.state, ending.counts[Topic.LOG]) == (ExitState.CRASHED, ROWS)
    assert len(found.heartbeats(Kind.GOODBYE)) == 1


def test_exit_that_cannot_be_stored_is_retried(run_dir: RunDir, broker: str, prefix: str) -> None:
    """If the disk is full when the exit is found, it is stored and sent as soon as there is space again."""
    writer = run_dir.add_writer(killed())
    stored = run_dir.path / "spool" / writer.hex() / "exit.json"
    stored.with_name(".exit.json.new").symlink_to("/dev/full")

    assert sync(run_dir) is State.DELIVERED
    assert delivered(broker, prefix, run_dir.run).exits()[writer].ending.state is ExitState.CRASHED
    assert (read_json(stored) or {}).get("state") == "crashed"


@pytest.mark.parametrize(
    "text", ['{"state": "crashed", "counts": {"nonsense": 1}}', '{"counts": [], "order": 1, "time": 1}', "{"]
)
def test_damaged_exit_is_replaced(run_dir: RunDir, broker: str, prefix: str, text: str) -> None:
    """An exit.json that cannot be read is determined again."""
    writer = run_dir.add_writer(killed())
    stored = run_dir.path / "spool" / writer.hex() / "exit.json"
    stored.write_text(text)

    assert sync(run_dir) is State.DELIVERED
    assert delivered(broker, prefix, run_dir.run).exits()[writer].ending.counts[Topic.LOG] == ROWS
    assert json.loads(stored.read_text())["counts"]["log"] == ROWS


@pytest.mark.parametrize(("topic", "stream", "payload"), [(9, 0, b"\x80"), (1, 9, b"\x81\xa1a\x01"), (7, 0, b"\x90")])
def test_unsupported_records_do_not_stop_delivery(  # noqa: PLR0917
    run_dir: RunDir, broker: str, prefix: str, topic: int, stream: int, payload: bytes
) -> None:
    """A record with an unknown topic or stream, or an alert without fields, does not keep the run from ending."""
    spool = killed(1)
    flags = 3 if topic == 1 else 0
    seq = spool.seqs.get(topic, 0)
    spool.records.append(record_bytes(payload, order=spool.order, seq=seq, topic=topic, flags=flags, stream=stream))
    spool.order += 1
    spool.exit()
    writer = run_dir.add_writer(spool)

    assert sync(run_dir) is State.DELIVERED
    assert delivered(broker, prefix, run_dir.run).rows(writer)[0] == {"n": 0}


def test_full_disk_does_not_stop_delivery(run_dir: RunDir, broker: str, prefix: str) -> None:
    """If the ledger cannot be written once, it is written at the next save, and everything is delivered once."""
    writer = run_dir.add_writer(killed(), segments=2)
    (run_dir.path / ".delivery.json.new").symlink_to("/dev/full")

    assert sync(run_dir) is State.DELIVERED
    assert delivered(broker, prefix, run_dir.run).rows(writer) == [{"n": number} for number in range(ROWS)]
    assert (read_json(run_dir.path / "delivery.json") or {}).get("complete") is True
    assert list((run_dir.path / "spool").rglob("*.seg")) == []


def test_segments_of_a_closed_writer_are_deleted(run_dir: RunDir) -> None:
    """If a shipper was killed between saving the ledger and deleting segments, the next one deletes them."""
    writer = run_dir.add_writer(killed())
    folder = run_dir.path / "spool" / writer.hex()
    segment = folder / "00000000.seg"
    content = segment.read_bytes()
    first = sync(run_dir)
    segment.write_bytes(content)
    ledger = json.loads((run_dir.path / "delivery.json").read_text())
    (run_dir.path / "delivery.json").write_text(json.dumps({**ledger, "complete": False}))

    assert (first, sync(run_dir)) == (State.DELIVERED, State.DELIVERED)
    assert not segment.exists()
