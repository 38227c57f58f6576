"""Malicious and malformed messages are refused in bounded time and memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runstream_schemas import events, registry
from runstream_schemas.codec import decode, encode
from runstream_schemas.exceptions import LimitExceeded, MalformedEvent, UnknownSchema
from runstream_schemas.framing import frame
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.contract.avro_bytes import text, zigzag
from tests.events import changed

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = RunPath(entity="e", project="p", run_id="r")
WRITER = events.Writer(id=bytes(range(16)), role=events.Role.PRIMARY)
#: Fields: kind data, run, writer, no continues, time 0, seq 0.
HEAD = zigzag(1) + text("e") + text("p") + text("r") + WRITER.id + zigzag(1) + zigzag(0) + zigzag(0) + zigzag(0)
#: The fields of a block of one row, up to its columns.
ONE_ROW = HEAD + zigzag(1) + zigzag(1) + zigzag(0) + text(b"") + zigzag(0) + text(b"") + text(bytes(8))
#: Size of a bomb in bytes, large enough to measure what one element costs.
ROOM = 256 * 1024


def message_of(topic: Topic, body: bytes) -> bytes:
    """Return a message with a valid frame."""
    return frame(registry.current(topic).id, body)


def block(**changes: Any) -> events.LogEvent:
    """Return a block of three rows, with some fields changed."""
    numbers = np.arange(3, dtype=np.int64)
    event = events.LogEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=WRITER, time=0, seq=0, count=3),
        stream=events.Stream.HISTORY,
        orders=numbers,
        steps=numbers,
        times=numbers,
        columns=[events.Column(path=("x",), type=events.ColumnType.FLOAT64, values=numbers.astype(np.float64))],
    )
    return changed(event, **changes)


def column(**changes: Any) -> events.LogEvent:
    """Return a block of three rows, with some fields of its only column changed."""
    return block(columns=[block().columns[0]._replace(**changes)])


def change(entry: events.Entry, **changes: Any) -> events.ChangeEvent:
    """Return a config event with one record, which has one entry."""
    record = replace(events.Record(order=0, time=0, entries=(entry,)), **changes)
    return events.ChangeEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=WRITER, time=0, seq=0, count=1),
        topic=Topic.CONFIG,
        records=(record,),
    )


def entry(**changes: Any) -> events.Entry:
    """Return an entry, with some fields changed."""
    return events.Entry(op=events.Operation.SET, path=("x",), value="1", scope=events.Scope.CONFIG)._replace(**changes)


def exit_of(**changes: Any) -> events.ExitEvent:
    """Return an exit, with some fields of its ending changed."""
    ending = replace(events.Ending(state=events.ExitState.FINISHED), **changes)
    return events.ExitEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=WRITER, time=0, order=0), ending=ending
    )


def uints(*numbers: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Return row numbers of a column."""
    return np.array(numbers, dtype=np.uint32)


def longs(*numbers: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return an array of 64-bit integers."""
    return np.array(numbers, dtype=np.int64)


MALFORMED: dict[str, Callable[[], events.Event]] = {
    "no record": lambda: block(
        kind=events.Kind.DROPPED, count=0, orders=longs(), steps=longs(), times=longs(), columns=()
    ),
    "negative seq": lambda: block(seq=-1),
    "seq beyond 64 bits": lambda: block(seq=2**63 - 2),
    "more rows than numbers": lambda: block(count=2),
    "fewer rows than numbers": lambda: block(count=4),
    "negative order": lambda: block(orders=longs(-1, 0, 1)),
    "orders that repeat": lambda: block(orders=longs(5, 5, 6)),
    "orders that decrease": lambda: block(orders=longs(5, 4, 6)),
    "negative time of a row": lambda: block(times=longs(0, -1, 0)),
    "time of a row beyond the calendar": lambda: block(times=longs(0, 2**62, 0)),
    "time beyond the calendar": lambda: block(time=2**62),
    "empty entity": lambda: block(run=RUN._replace(entity="")),
    "slash in a name": lambda: block(run=RUN._replace(project="a/b")),
    "NUL in a name": lambda: block(run=RUN._replace(run_id="a\0b")),
    "dots as a name": lambda: block(run=RUN._replace(run_id="..")),
    "row beyond the block": lambda: column(rows=uints(0, 1, 3)),
    "rows that repeat": lambda: column(rows=uints(0, 1, 1)),
    "rows that decrease": lambda: column(rows=uints(1, 0, 2)),
    "fewer values than rows": lambda: column(values=np.zeros(2)),
    "more values than rows": lambda: column(rows=uints(0, 1)),
    "no path": lambda: column(path=()),
    "a bool of 2": lambda: column(
        type=events.ColumnType.BOOL, values=np.array([0, 1, 2], dtype=np.uint8).view(np.bool_)
    ),
    "fewer texts than rows": lambda: column(type=events.ColumnType.JSON, values=None, texts=["1", "2"]),
    "a text that is not JSON": lambda: column(type=events.ColumnType.JSON, values=None, texts=["1", "{", "2"]),
    "a bare NaN": lambda: column(type=events.ColumnType.JSON, values=None, texts=["1", "NaN", "2"]),
    "a text nested too deep": lambda: column(
        type=events.ColumnType.JSON, values=None, texts=["1", "[" * 65 + "]" * 65, "2"]
    ),
    "a text nested beyond the interpreter": lambda: column(
        type=events.ColumnType.JSON, values=None, texts=["1", "[" * 100_000 + "]" * 100_000, "2"]
    ),
    "an integer of too many digits": lambda: column(
        type=events.ColumnType.JSON, values=None, texts=["1", "9" * 5000, "2"]
    ),
    "fewer records than counted": lambda: changed(change(entry()), count=2),
    "an entry without a path": lambda: change(entry(path=())),
    "an entry that is not JSON": lambda: change(entry(value="'x'")),
    "a negative order of a record": lambda: change(entry(), order=-1),
    "a negative time of a record": lambda: change(entry(), time=-1),
    "two exits in one": lambda: changed(exit_of(), count=2),
    "a negative count": lambda: exit_of(counts={Topic.LOG: -1}),
    "a negative signal": lambda: exit_of(signal=-2),
    "a negative number of a beat": lambda: events.HeartbeatEvent(
        header=events.Header(kind=events.Kind.BEAT, run=RUN, writer=WRITER, time=0), number=-1
    ),
    "a beat without a run": lambda: events.HeartbeatEvent(
        header=events.Header(
            kind=events.Kind.BEAT, run=RunPath(entity="", project="", run_id=""), writer=WRITER, time=0
        )
    ),
}

TOO_LARGE: dict[str, Callable[[], events.Event]] = {
    "name": lambda: block(run=RUN._replace(entity="e" * 129)),
    "key": lambda: column(path=("k" * 513,)),
    "path": lambda: column(path=("k",) * 65),
    "key of config": lambda: change(entry(path=("a", "k" * 513))),
    "path of config": lambda: change(entry(path=("k",) * 65)),
    "block": lambda: block(
        count=10_001, orders=np.arange(10_001), steps=np.arange(10_001), times=np.arange(10_001), columns=()
    ),
    # A few kilobytes for four million values, each of which a reader would put into a row.
    "nulls of every row": lambda: block(
        count=10_000,
        orders=np.arange(10_000),
        steps=np.arange(10_000),
        times=np.arange(10_000),
        columns=[events.Column(path=("x", str(number)), type=events.ColumnType.NULL) for number in range(210)],
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_event_is_refused(name: str) -> None:
    """An event that no writer may send raises MalformedEvent, and not LimitExceeded."""
    event = MALFORMED[name]()
    with pytest.raises(MalformedEvent) as caught:
        decode(event.topic, encode(event))
    assert MalformedEvent is caught.type


@pytest.mark.parametrize("name", TOO_LARGE)
def test_an_event_beyond_a_limit_is_refused(name: str) -> None:
    """An event that is well formed but too large raises LimitExceeded."""
    event = TOO_LARGE[name]()
    with pytest.raises(LimitExceeded):
        decode(event.topic, encode(event))


def test_values_at_the_limits_are_accepted() -> None:
    """A key, a path, a name and a value of the maximum length and depth are read."""
    deep = "[" * 64 + "]" * 64
    event = block(
        run=RunPath(entity="e" * 128, project="p" * 128, run_id="r" * 128),
        columns=[
            events.Column(path=("k" * 512,) * 64, type=events.ColumnType.NULL),
            events.Column(path=("x",), type=events.ColumnType.JSON, texts=[deep, '"[[["', "[" + "[]," * 99 + "[]]"]),
        ],
    )
    assert len(unpack_rows(event)) == 3
    decoded = decode(Topic.LOG, encode(event))
    assert isinstance(decoded, events.LogEvent)
    assert unpack_rows(event) == unpack_rows(decoded)


def test_a_tick_has_no_run() -> None:
    """A tick belongs to a partition, so the names of its run are empty."""
    tick = events.HeartbeatEvent(
        header=events.Header(
            kind=events.Kind.TICK, run=RunPath(entity="", project="", run_id=""), writer=WRITER, time=0
        ),
        signature=bytes(32),
    )
    assert tick == decode(Topic.HEARTBEAT, encode(tick))


def test_an_event_of_an_unknown_kind_has_no_records() -> None:
    """An event of an unknown kind is returned with its seq and count, and without columns."""
    decoded = decode(Topic.LOG, encode(block(kind=events.Kind.UNKNOWN)))
    assert isinstance(decoded, events.LogEvent)
    assert (decoded.kind, decoded.seq, decoded.count, len(decoded.columns)) == (events.Kind.UNKNOWN, 0, 3, 0)


def test_a_column_without_rows_is_not_written() -> None:
    """A column with an empty index would be read as having a value in every row, so it is omitted."""
    decoded = decode(Topic.LOG, encode(column(rows=uints(), values=np.zeros(0))))
    assert isinstance(decoded, events.LogEvent)
    assert len(decoded.columns) == 0


def test_a_marker_of_many_records_allocates_no_rows() -> None:
    """A marker only contains the number of dropped records."""
    dropped = block(kind=events.Kind.DROPPED, count=2**31 - 1, orders=longs(), steps=longs(), times=longs(), columns=())
    decoded = decode(Topic.LOG, encode(dropped))
    assert isinstance(decoded, events.LogEvent)
    assert (decoded.count, unpack_rows(decoded)) == (2**31 - 1, [])


def test_an_unknown_schema_is_reported_with_its_id() -> None:
    """UnknownSchema has the id of the schema, which the quarantine shows."""
    with pytest.raises(UnknownSchema) as caught:
        decode(Topic.LOG, frame(12345, b""))
    assert caught.value.schema_id == 12345


@pytest.mark.parametrize("message", [b"", b"\0", b"\0\0\0\0", b"\1" + encode(exit_of())[1:], b"{}      "])
def test_a_message_without_a_valid_frame_is_malformed(message: bytes) -> None:
    """The message is too short, or does not begin with a zero byte."""
    with pytest.raises(MalformedEvent):
        decode(Topic.EXIT, message)


BOMBS: dict[str, tuple[Topic, bytes]] = {
    "tiny columns": (Topic.LOG, ONE_ROW + zigzag(ROOM // 5) + b"\0\1\0\0\0" * (ROOM // 5)),
    "tiny names": (Topic.LOG, ONE_ROW + zigzag(1) + zigzag(ROOM) + bytes(ROOM)),
    "tiny texts": (
        Topic.LOG,
        ONE_ROW + zigzag(1) + zigzag(1) + text("k") + b"\0" + zigzag(5) + b"\0\0" + zigzag(ROOM) + bytes(ROOM),
    ),
    "tiny records": (Topic.SUMMARY, HEAD + zigzag(ROOM // 3) + zigzag(ROOM // 3) + bytes(ROOM // 3 * 3)),
    "tiny entries": (
        Topic.SUMMARY,
        HEAD + zigzag(1) + zigzag(1) + b"\0\0" + zigzag(ROOM // 3) + bytes(ROOM // 3 * 3) + b"\0\0\0",
    ),
    "tiny counts": (Topic.EXIT, HEAD + zigzag(1) + bytes(5) + zigzag(ROOM // 2) + bytes(ROOM // 2 * 2) + b"\0"),
    "unlimited columns": (Topic.LOG, ONE_ROW + zigzag(2**62)),
    "unlimited columns, with their size": (Topic.LOG, ONE_ROW + zigzag(-(2**62)) + zigzag(2**62)),
    "blocks without items": (Topic.LOG, ONE_ROW + bytes(ROOM)),
    "unlimited bytes": (Topic.LOG, HEAD + zigzag(1) + zigzag(1) + zigzag(0) + zigzag(2**62)),
    "bytes of negative length": (Topic.LOG, HEAD + zigzag(1) + zigzag(1) + zigzag(0) + zigzag(-5) + bytes(100)),
    "an unterminated number": (Topic.LOG, b"\xff" * ROOM),
    "a count without rows": (Topic.LOG, HEAD + zigzag(2**31) + bytes(10)),
    "rows without times": (Topic.LOG, HEAD + zigzag(2**31 - 1) + bytes(10)),
    "rows at the largest number": (
        Topic.LOG,
        HEAD + zigzag(1) + zigzag(1) + zigzag(2**63 - 1) + text(b"") + zigzag(0) + text(b"") + text(bytes(8)) + b"\0\0",
    ),
    "an index wider than the block": (
        Topic.LOG,
        ONE_ROW
        + zigzag(1)
        + zigzag(1)
        + text("k")
        + b"\0"
        + zigzag(1)
        + text(struct.pack("<I", 2**32 - 1))
        + b"\0" * 4,
    ),
    "an index of 3 bytes": (
        Topic.LOG,
        ONE_ROW + zigzag(1) + zigzag(1) + text("k") + b"\0" + zigzag(1) + text(b"123") + b"\0" * 4,
    ),
    "a name that is not UTF-8": (Topic.LOG, zigzag(1) + text(b"\xed\xa0\x80")),
    "a kind that does not exist": (Topic.LOG, zigzag(99) + HEAD[1:] + bytes(20)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_uses_limited_time_and_memory(name: str) -> None:
    """Decoding any message allocates at most 128 times its size."""
    topic, body = BOMBS[name]
    message = message_of(topic, body)
    tracemalloc.start()
    begin = time.process_time()
    try:
        with suppress(MalformedEvent):
            decode(topic, message)
        seconds = time.process_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Generous, since this only detects a decoder that hangs.
    assert seconds < 30
    assert peak < 128 * max(len(message), 8192)
