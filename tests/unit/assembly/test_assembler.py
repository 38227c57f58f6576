"""Appends become rows and blocks by the numbering rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.assembly.assembler import DAMAGED, Assembler
from runstream.spool.format import Flag, StreamCode, TopicCode
from runstream.spool.reader import parse
from runstream.spool.row_merge import merge
from tests.unit.shipper.spools import WHOLE, SpoolBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.assembly.block import Block
    from runstream.spool.reader import SpoolRecord

LOG, CONFIG, SUMMARY = TopicCode.LOG, TopicCode.CONFIG, TopicCode.SUMMARY


def records_of(spool: SpoolBuilder) -> list[SpoolRecord]:
    """Return the records of a builder as the reader finds them."""
    return parse(b"".join(spool.records), 0, 0, 0).records


def assembler(acked: Mapping[int, int] | None = None, *, size: int = 1 << 20, rows: int = 100) -> Assembler:
    """Return an assembler with generous limits."""
    return Assembler(acked or {}, block_bytes=size, block_rows=rows)


def facts(blocks: list[Block]) -> list[tuple[Any, ...]]:
    """Return topic, seq, orders, steps, times and values of blocks."""
    return [(block.topic, block.seq, block.orders, block.steps, block.times, block.values) for block in blocks]


def with_late_rows() -> SpoolBuilder:
    """Return a spool with two late rows between the appends of an open row."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"late": 1}, flags=WHOLE | Flag.LATE_ROW)
    spool.append({"late": 2}, flags=WHOLE | Flag.LATE_ROW)
    spool.append({"b": 1}, flags=Flag.CLOSES)
    return spool


def test_whole_rows_become_one_block() -> None:
    """Rows of one append each are in one block, with the order, step and time of each."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"a": 2})
    subject = assembler()

    subject.add(records_of(spool))

    assert facts(subject.blocks()) == [(LOG, 0, [0, 1], [0, 1], [1_000_000, 1_000_001], [{"a": 1}, {"a": 2}])]


def test_appends_of_one_row_are_joined() -> None:
    """A joined row has the step of its first append, order and time of its last, and its dicts merged deeply."""
    spool = SpoolBuilder()
    spool.append({"a": {"x": 1, "y": 1}, "b": 1}, flags=Flag.OPENS, step=7)
    spool.append({"a": {"y": 2, "z": 2}}, flags=0, step=7)
    spool.append({"b": {"c": 3}}, flags=Flag.CLOSES, step=7)
    subject = assembler()

    subject.add(records_of(spool))

    row = {"a": {"x": 1, "y": 2, "z": 2}, "b": {"c": 3}}
    assert [(LOG, 0, [2], [7], [1_000_002], [row])] == facts(subject.blocks())


def test_open_row_waits() -> None:
    """A row that may still grow is in no block, is counted, and is where reading resumes."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"a": 2}, flags=Flag.OPENS)
    records = records_of(spool)
    subject = assembler()

    subject.add(records)
    blocks = subject.blocks()

    assert ([[{"a": 1}]], {LOG: 2}, records[1].position) == (
        [block.values for block in blocks],
        subject.counts,
        subject.oldest,
    )


def test_next_row_closes_the_open_one() -> None:
    """A row is closed by the append that opens the next."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"a": 2}, flags=Flag.OPENS)
    subject = assembler()

    subject.add(records_of(spool))

    assert [block.values for block in subject.blocks()] == [[{"a": 1}]]


def test_late_rows_wait_for_the_open_row() -> None:
    """A late row is published after the open row, in the order of seq, when that is closed."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS, step=10)
    spool.append({"late": 1}, flags=WHOLE | Flag.LATE_ROW, step=3)
    spool.append({"b": 1}, flags=0, step=10)
    spool.append({"late": 2}, flags=WHOLE | Flag.LATE_ROW, step=4)
    records = records_of(spool)
    subject = assembler()

    subject.add(records)

    assert ([], {LOG: 3}, records[0].position) == (subject.blocks(), subject.counts, subject.oldest)

    spool.append({"c": 1}, flags=Flag.CLOSES, step=10)
    spool.append({"d": 1}, step=11)
    subject.add(records_of(spool)[4:])

    # The orders of a block ascend: the closed row has the order of its last append.
    assert [(block.seq, block.orders, block.steps, block.values) for block in subject.blocks()] == [
        (0, [4], [10], [{"a": 1, "b": 1, "c": 1}]),
        (1, [1, 3, 5], [3, 4, 11], [{"late": 1}, {"late": 2}, {"d": 1}]),
    ]
    assert subject.oldest is None


def test_late_row_without_an_open_row_does_not_wait() -> None:
    """If the open row was delivered before, a late row is published like any other."""
    spool = with_late_rows()
    subject = assembler({LOG: 2})

    subject.add(records_of(spool)[2:])

    assert [(block.seq, block.values) for block in subject.blocks()] == [(2, [{"late": 2}])]


def test_late_row_is_kept_if_the_open_row_is_not() -> None:
    """If an append of the open row may be lost, that row is marked, and the late rows are published."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"late": 1}, flags=WHOLE | Flag.LATE_ROW)
    spool.append({"b": 1}, flags=0)
    spool.append({"late": 2}, flags=WHOLE | Flag.LATE_ROW)
    spool.append({"c": 1}, flags=Flag.CLOSES)
    del spool.records[2]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [(0, 1, DAMAGED), (1, 2, "")]


def test_lost_late_row_is_marked_after_the_open_row() -> None:
    """Lost late rows are marked in their place, and the open row before them is complete."""
    spool = with_late_rows()
    del spool.records[1]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.values, block.reason) for block in subject.blocks()] == [
        (0, [{"a": 1, "b": 1}], ""),
        (1, [], DAMAGED),
        (2, [{"late": 2}], ""),
    ]


def test_completely_lost_row_has_closed_the_row_before() -> None:
    """An append to a row whose beginning is lost shows that the row before it is complete."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"b": 1}, flags=Flag.OPENS)
    spool.append({"late": 1}, flags=WHOLE | Flag.LATE_ROW)
    spool.append({"c": 1}, flags=0)
    del spool.records[1]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.values, block.reason) for block in subject.blocks()] == [
        (0, [{"a": 1}], ""),
        (1, [], DAMAGED),
        (2, [{"late": 1}], ""),
    ]


def test_exit_closes_the_open_row() -> None:
    """The exit of a writer closes the open row, and is not part of a block."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.exit()
    subject = assembler()

    subject.add(records_of(spool))

    assert (
        [block.values for block in subject.blocks()],
        subject.exit and subject.exit.order,
    ) == ([[{"a": 1}]], 1)


def test_topics_are_numbered_separately() -> None:
    """Records of other topics between rows do not split their block; each topic has its own seq."""
    spool = SpoolBuilder()
    spool.append([["config", "set", ["a"], 1]], topic=CONFIG, flags=0)
    spool.append({"a": 1})
    spool.append([["set", ["a"], 1]], topic=SUMMARY, flags=0)
    spool.append({"a": 2})
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.topic, block.seq, block.orders) for block in subject.blocks()] == [
        (CONFIG, 0, [0]),
        (LOG, 0, [1, 3]),
        (SUMMARY, 0, [2]),
    ]


def test_streams_are_separate_blocks() -> None:
    """A block has rows of one stream; the seq continues across streams."""
    spool = SpoolBuilder()
    for stream in (StreamCode.SYSTEM, StreamCode.CONSOLE, StreamCode.CONSOLE):
        spool.append({"a": 1}, stream=stream)
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.stream, block.seq, block.count) for block in subject.blocks()] == [
        (StreamCode.SYSTEM, 0, 1),
        (StreamCode.CONSOLE, 1, 2),
    ]


def test_blocks_are_limited_in_rows_and_bytes() -> None:
    """A block is complete at the row limit or the byte limit."""
    spool = SpoolBuilder()
    for _ in range(5):
        spool.append({"a": "x" * 100})
    by_rows, by_bytes = assembler(rows=2), assembler(size=300)

    by_rows.add(records_of(spool))
    by_bytes.add(records_of(spool))

    assert (
        [block.count for block in by_rows.blocks()],
        [block.count for block in by_bytes.blocks()],
    ) == ([2, 2, 1], [3, 2])


def test_delivered_records_are_skipped() -> None:
    """After a restart, records below the acknowledged seq are skipped, including joined appends."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"b": 1}, flags=Flag.CLOSES)
    spool.append({"a": 2})
    subject = assembler({LOG: 1})

    subject.add(records_of(spool))

    assert [(block.seq, block.values) for block in subject.blocks()] == [(1, [{"a": 2}])]


def test_merge_is_deep_and_replaces_other_values() -> None:
    """Dicts are merged at every depth; a value replaces a dict and a dict a value."""
    row: dict[str, Any] = {"a": {"b": {"c": 1}}, "d": {"e": 1}, "f": 1}

    merge(row, {"a": {"b": {"x": 2}}, "d": 3, "f": {"g": 4}})

    assert row == {"a": {"b": {"c": 1, "x": 2}}, "d": 3, "f": {"g": 4}}


def test_branch_is_a_record_between_rows() -> None:
    """A branch uses a number, and is in a separate block between those of the rows."""
    spool = SpoolBuilder()
    spool.append({"run_id": "other"}, flags=WHOLE | Flag.BRANCH, step=4)
    spool.append({"a": 1}, step=5)
    subject = assembler()

    subject.add(records_of(spool))

    branch, row = subject.blocks()
    assert (branch.is_branch, branch.seq, branch.stop, branch.steps) == (True, 0, 1, [4])
    assert (row.is_branch, row.seq, row.values) == (False, 1, [{"a": 1}])


def test_implicit_steps_are_relative_to_the_base() -> None:
    """Up to the first explicit step, the base is added to steps, also after a restart in between."""
    spool = SpoolBuilder()
    for step in range(2):
        spool.append({"a": step}, step=step)
    spool.append({"a": 2}, flags=Flag.OPENS, step=2)
    spool.append({"b": 2}, flags=Flag.CLOSES, step=2)
    spool.append({"a": 50}, flags=WHOLE | Flag.EXPLICIT_STEP, step=50)
    spool.append({"a": 51}, step=51)
    records = records_of(spool)
    subject = Assembler({}, block_bytes=1 << 20, block_rows=100, base=10)

    subject.add(records)

    assert [step for block in subject.blocks() for step in block.steps] == [10, 11, 12, 50, 51]
    assert subject.explicit_from == 4
    again = Assembler({LOG: 1}, block_bytes=1 << 20, block_rows=100, base=10, explicit_from=4)
    again.add(records[1:])
    assert [step for block in again.blocks() for step in block.steps] == [11, 12, 50, 51]
