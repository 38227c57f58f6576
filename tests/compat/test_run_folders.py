"""Run folders that commit d3ae569 wrote: one recorded offline, and one half delivered."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.assembly.events import Envelope, create_messages
from runstream.run_folder.folder import RunFolder
from runstream.run_folder.process_identity import Host
from runstream.shipper.ledger.ledger import Ledger, WriterAccount
from runstream.shipper.writers.writer_tail import WriterTail
from runstream_schemas import values
from runstream_schemas.codec import decode
from runstream_schemas.events import ChangeEvent, Event, LogEvent
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.contract.meaning import meaning_of
from tests.contract.test_vectors import known

if TYPE_CHECKING:
    from collections.abc import Iterable

FIXTURES = Path(__file__).parent / "fixtures"


def unpacked(name: str, folder: Path) -> tuple[RunFolder, dict[str, Any]]:
    """Unpack a run folder, and return it with what is expected of it."""
    expected: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    with tarfile.open(FIXTURES / f"{name}.tar.xz") as archive:
        # Older versions of Python have none.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    return RunFolder.open(folder / expected["folder"]), expected


def assembled(
    folder: RunFolder, writer: bytes, run: str, account: WriterAccount | None = None
) -> tuple[WriterTail, list[Event]]:
    """Read the spool of an exited writer like the shipper; return the events that it would send."""
    entity, project, run_id = run.split("/")
    tail = WriterTail(folder, folder.writer_info(writer), Host.here())
    tail.dead = True
    tail.begin(account or WriterAccount(), DEFAULT_LIMITS, None)
    envelope = Envelope(RunPath(entity=entity, project=project, run_id=run_id), tail.info.writer)
    events: list[Event] = []
    try:
        while blocks := tail.pull(1 << 20):
            sent = [message for block in blocks for message in create_messages(block, envelope, DEFAULT_LIMITS, now=0)]
            events += [decode(message.topic, message.payload) for message in sent]
    finally:
        tail.close()
    return tail, events


def _rows(events: Iterable[Event]) -> list[Any]:
    return [row for event in events if isinstance(event, LogEvent) for row in unpack_rows(event)]


def _changes(events: Iterable[Event], topic: Topic) -> list[Any]:
    records = [
        one for event in events if isinstance(event, ChangeEvent) and event.topic is topic for one in event.records
    ]
    return [[[e.scope.value, e.op.value, list(e.path), e.value] for e in record.entries] for record in records]


def test_an_old_offline_run_has_the_same_events(tmp_path: Path) -> None:
    """Joined rows, late rows, changes, alerts and the exit are those that the old version delivered."""
    folder, expected = unpacked("offline_run", tmp_path)
    alerts: list[Event] = []
    for writer, before in expected["writers"].items():
        tail, events = assembled(folder, bytes.fromhex(writer), expected["run"])
        assert tail.info.writer.role.value == before["role"]
        assert json.loads(values.dump(_rows(events))) == before["rows"]
        assert [int(step) for event in events if isinstance(event, LogEvent) for step in event.steps] == before["steps"]
        assert _changes(events, Topic.CONFIG) == before["config"]
        assert _changes(events, Topic.SUMMARY) == before["summary"]
        if tail.exit is not None:
            exit_event = tail.exit.event(
                Envelope(events[0].run, tail.info.writer), beats=False, decides=True, waits_for_all=False
            )
            assert known(meaning_of(exit_event), before["exit"]) == before["exit"]
        alerts += [event for event in events if event.topic is Topic.ALERT]

    assert known(meaning_of(alerts[0]), expected["alerts"][0]) == expected["alerts"][0]
    assert (len(alerts), len(expected["writers"])) == (1, 2)


def test_an_old_half_delivered_run_is_continued(tmp_path: Path) -> None:
    """Delivery continues after the rows acknowledged according to the old delivery.json, and reaches the last row."""
    folder, expected = unpacked("half_delivered_run", tmp_path)
    prefix, writer = expected["prefix"], bytes.fromhex(expected["writer"])
    ledger = Ledger.load(folder.path / "delivery.json")
    cluster = ledger.account(f"cluster-{prefix}", entity="team", prefix=prefix, partitions=2)

    _, events = assembled(folder, writer, expected["run"], cluster.writers[writer])

    blocks = [event for event in events if isinstance(event, LogEvent)]
    assert blocks[0].seq == expected["acknowledged"]
    assert _rows(events) == [{"n": number} for number in range(expected["acknowledged"], expected["rows"])]
