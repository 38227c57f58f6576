"""What is missing or damaged in a spool is marked, and its neighbors are kept."""

from __future__ import annotations

from runstream.assembly.assembler import DAMAGED, UNREADABLE
from runstream.spool.format import Flag
from tests.unit.assembly.test_assembler import CONFIG, LOG, assembler, records_of
from tests.unit.shipper.spools import WHOLE, SpoolBuilder, record_bytes


def test_missing_rows_are_marked() -> None:
    """Rows that the spool lost become one marker with the reason, between their neighbors."""
    spool = SpoolBuilder()
    for number in range(5):
        spool.append({"a": number})
    del spool.records[1:3]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [
        (0, 1, ""),
        (1, 2, DAMAGED),
        (3, 2, ""),
    ]


def test_rows_keep_their_orders_after_a_lost_change() -> None:
    """If a record of another topic is lost between rows, the rows keep their orders."""
    spool = SpoolBuilder()
    for number in range(3):
        spool.append({"a": number})
    spool.append([["config", "set", ["a"], 1]], topic=CONFIG, flags=0)
    spool.append({"a": 3})
    del spool.records[3]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.orders) for block in subject.blocks()] == [(0, [0, 1, 2, 4])]


def test_rows_whose_numbers_jump_are_marked() -> None:
    """A gap in seq is marked even if the orders have none."""
    spool = SpoolBuilder()
    spool.append({"a": 0})
    spool.append({"a": 1})
    spool.seqs[LOG] = 5
    spool.append({"a": 5})
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [
        (0, 2, ""),
        (2, 3, DAMAGED),
        (5, 1, ""),
    ]


def test_row_that_lost_an_append_is_not_published() -> None:
    """A row of which an append may be missing is marked as missing, since half a row would be wrong."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"b": 1}, flags=0)
    spool.append({"c": 1}, flags=Flag.CLOSES)
    spool.append({"a": 2})
    del spool.records[1]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [(0, 1, DAMAGED), (1, 1, "")]


def test_open_row_survives_lost_neighbors() -> None:
    """If the missing appends were other rows, the open row before them is complete."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"a": 2}, flags=Flag.OPENS)
    spool.append({"a": 3})
    del spool.records[1]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [
        (0, 1, ""),
        (1, 1, DAMAGED),
        (2, 1, ""),
    ]


def test_row_without_its_beginning_is_marked() -> None:
    """Appends to a row whose first append is lost are not published."""
    spool = SpoolBuilder()
    spool.append({"a": 1}, flags=Flag.OPENS)
    spool.append({"b": 1}, flags=Flag.CLOSES)
    spool.append({"a": 2})
    del spool.records[0]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [(0, 1, DAMAGED), (1, 1, "")]


def test_records_lost_before_the_exit_are_marked() -> None:
    """Records missing before the exit are marked as rows, so that the run is not complete by mistake."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"a": 2})
    spool.exit()
    del spool.records[1]
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [(0, 1, ""), (1, 1, DAMAGED)]


def test_dropped_records_keep_their_numbers() -> None:
    """Records that the writer dropped become a marker that uses their numbers."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.append({"dropped": 3, "reason": "the disk is full"}, flags=Flag.DROPPED)
    spool.append({"a": 2})
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [
        (0, 1, ""),
        (1, 3, "the disk is full"),
        (4, 1, ""),
    ]


def test_unreadable_payload_is_marked() -> None:
    """A record that is not msgpack or not a dict is marked as missing; its neighbors are kept."""
    spool = SpoolBuilder()
    spool.append({"a": 1})
    spool.records.append(record_bytes(b"\xc1", order=1, seq=1))
    spool.records.append(record_bytes(b"\x01", order=2, seq=2, flags=WHOLE))
    spool.order, spool.seqs[LOG] = 3, 3
    spool.append({"a": 2})
    subject = assembler()

    subject.add(records_of(spool))

    assert [(block.seq, block.count, block.reason) for block in subject.blocks()] == [
        (0, 1, ""),
        (1, 1, UNREADABLE),
        (2, 1, UNREADABLE),
        (3, 1, ""),
    ]
