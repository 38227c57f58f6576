"""The records of a run folder arrive on the topics once, and are then deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runstream.spool.control_page import ControlPage, Phase, Word
from runstream.spool.format import Flag, TopicCode
from runstream_schemas.events import ExitState, Kind
from runstream_schemas.topics import Topic
from tests.integration.shipper.runs import delivered
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from tests.integration.shipper.runs import RunDir


def finished_run(rows: int) -> SpoolBuilder:
    """Return the spool of a finished writer that logged rows, a config and a summary."""
    spool = SpoolBuilder()
    spool.append([["config", "set", ["lr"], 0.1], ["attribute", "set", ["name"], "a-run"]], topic=TopicCode.CONFIG)
    for number in range(rows):
        spool.append({"loss": 1 / (1 + number), "n": number, "nested": {"a.b": number}}, step=number)
    spool.append([["set", ["best"], 1.5]], topic=TopicCode.SUMMARY)
    spool.exit()
    return spool


def test_finished_run_is_delivered_and_deleted(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Rows, changes, exit and goodbye arrive; the folder is then complete and its segments are deleted."""
    writer = run_dir.add_writer(finished_run(1000), segments=3)

    status = run_dir.ship_to_end()

    assert status == 0, run_dir.log()
    found = delivered(broker, prefix, run_dir.run)
    rows = [{"loss": 1 / (1 + n), "n": n, "nested": {"a.b": n}} for n in range(1000)]
    assert found.rows(writer) == rows
    assert [len(entries) for entries in found.changes(writer, Topic.CONFIG)] == [2]
    assert [entries[0].path for entries in found.changes(writer, Topic.SUMMARY)] == [("best",)]
    ending = found.exits()[writer].ending
    counts = {Topic.LOG: 1000, Topic.CONFIG: 1, Topic.SUMMARY: 1, Topic.EXIT: 1}
    assert (ending.state, ending.exit_code, ending.counts) == (ExitState.FINISHED, 0, counts)
    assert [beat.ending for beat in found.heartbeats(Kind.GOODBYE)] == [ending]
    assert list((run_dir.path / "spool").rglob("*.seg")) == []
    with ControlPage(run_dir.path / "control") as control:
        assert (control[Word.PHASE], control[Word.PENDING], control[Word.ACKED]) == (Phase.DELIVERED, 0, 1002)


def test_second_shipper_finds_nothing_to_do(run_dir: RunDir, broker: str, prefix: str) -> None:
    """A complete folder stays complete, and nothing is sent again."""
    run_dir.add_writer(finished_run(10))

    statuses = [run_dir.ship_to_end(), run_dir.ship_to_end()]

    assert statuses == [0, 0], run_dir.log()
    found = delivered(broker, prefix, run_dir.run)
    assert [(event.topic, event.kind) for event in found.events] == [
        (Topic.LOG, Kind.DATA),
        (Topic.CONFIG, Kind.DATA),
        (Topic.SUMMARY, Kind.DATA),
        (Topic.HEARTBEAT, Kind.GOODBYE),
        (Topic.EXIT, Kind.DATA),
    ]


def test_console_is_delivered(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Console lines become rows of the shipper's own writer, which has its own exit."""
    run_dir.add_writer(finished_run(1))
    (run_dir.path / "logs" / "console.log").write_text(
        "2026-11-21T03:21:48.123456Z stdout hello\n2026-11-21T03:21:49Z stderr \nno format\n"
        "2026-11-21T03:21:50Z stdout last"
    )

    status = run_dir.ship_to_end()

    assert status == 0, run_dir.log()
    found = delivered(broker, prefix, run_dir.run)
    (shipper,) = found.writers("shipper")
    rows = [(row["stream"], row["text"]) for row in found.rows(shipper) if row is not None]
    assert rows == [("stdout", "hello"), ("stderr", ""), ("stdout", "no format"), ("stdout", "last")]
    ending = found.exits()[shipper].ending
    assert (ending.state, ending.counts[Topic.LOG]) == (ExitState.FINISHED, 4)


def test_large_row_is_divided_and_its_neighbors_are_kept(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Of a row that is too large for a message, the largest values are files; a text beyond its limit is shortened."""
    spool = SpoolBuilder()
    spool.append({"n": 0})
    spool.append({f"key{number}": "\x01" * 200_000 for number in range(4)})
    spool.append({"n": 2})
    spool.append({"text": "x" * 1_000_000}, flags=Flag.OPENS)
    spool.exit()
    writer = run_dir.add_writer(spool, size=4 << 20)

    status = run_dir.ship_to_end()

    assert status == 0, run_dir.log()
    found = delivered(broker, prefix, run_dir.run)
    rows = found.rows(writer)
    assert (rows[0], rows[2]) == ({"n": 0}, {"n": 2})
    texts = list((rows[1] or {}).values())
    assert [text["size"] for text in texts if isinstance(text, dict)] == [200_000] * 3
    assert "\x01" * 200_000 in texts
    text = (rows[3] or {})["text"]
    assert (len(text), text.endswith("... (1000000 characters, shortened)")) == (256 * 1024, True)
    assert [event for event in found.events if event.kind is Kind.DROPPED] == []


def test_damaged_rows_are_marked(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Damaged rows become a marker; the rest of the run is delivered."""
    spool = finished_run(50)
    spool.records[11] = b"\xa5" * len(spool.records[11])
    writer = run_dir.add_writer(spool)

    status = run_dir.ship_to_end()

    assert status == 0, run_dir.log()
    found = delivered(broker, prefix, run_dir.run)
    assert [number for number, row in enumerate(found.rows(writer)) if row is None] == [10]
    assert found.exits()[writer].ending.counts[Topic.LOG] == 50


def test_report_summarizes_what_was_delivered(run_dir: RunDir) -> None:
    """report.json has count, last value and at most 40 points of every key."""
    run_dir.add_writer(finished_run(1000))

    run_dir.ship_to_end()

    report = json.loads((run_dir.path / "report.json").read_text())
    line = report["keys"]["n"]
    assert (report["rows"], line["count"], line["last"], line["points"][:2]) == (1000, 1000, 999, [0, 32])
    assert len(line["points"]) <= 40


def test_shipper_killed_before_the_end_is_completed(run_dir: RunDir, broker: str, prefix: str) -> None:
    """If everything is delivered but not marked, the next shipper deletes segments, and sends nothing."""
    writer = run_dir.add_writer(finished_run(10))
    segment = run_dir.path / "spool" / writer.hex() / "00000000.seg"
    content = segment.read_bytes()
    run_dir.ship_to_end()
    before = len(delivered(broker, prefix, run_dir.run).events)
    ledger = json.loads((run_dir.path / "delivery.json").read_text())
    (run_dir.path / "delivery.json").write_text(json.dumps({**ledger, "complete": False}))
    segment.write_bytes(content)

    status = run_dir.ship_to_end()

    assert (status, segment.exists()) == (0, False)
    assert len(delivered(broker, prefix, run_dir.run).events) == before
