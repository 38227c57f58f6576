"""Trimming of whole events: which rows reach a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.runtime.consuming.trimming import trim
from runstream_consumers.runtime.plugin import Received
from runstream_schemas import events
from runstream_schemas.codec import decode, encode
from runstream_schemas.rows import pack_rows, unpack_rows
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from runstream_consumers.runtime.postgres.store import WriterKey
    from runstream_consumers.runtime.progress.spans import Progress

RUN = RunPath(entity="e", project="p", run_id="r")
WRITERS = [events.Writer(id=bytes([number]) * 16, role=events.Role.PRIMARY) for number in range(2)]

Block = tuple[int, int, int]
blocks = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(1, 8)), max_size=25)


def rows_block(writer: events.Writer, seq: int, count: int, kind: events.Kind = events.Kind.DATA) -> events.LogEvent:
    """Return a block whose rows contain their own number."""
    numbers = np.arange(seq, seq + count if kind is events.Kind.DATA else seq)
    columns = pack_rows([{"number": int(number), **({"odd": "x"} if number % 2 else {})} for number in numbers])
    return events.LogEvent(
        header=events.Header(kind=kind, run=RUN, writer=writer, time=0, seq=seq, count=count),
        stream=events.Stream.HISTORY,
        orders=numbers * 3,
        steps=numbers,
        times=numbers,
        columns=columns,
    )


def changes_block(writer: events.Writer, seq: int, count: int) -> events.ChangeEvent:
    """Return config records that contain their own number."""
    records = tuple(
        events.Record(
            order=number, time=0, entries=(events.Entry(op=events.Operation.SET, path=("n",), value=str(number)),)
        )
        for number in range(seq, seq + count)
    )
    return events.ChangeEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=writer, time=0, seq=seq, count=count),
        topic=Topic.CONFIG,
        records=records,
    )


def received(event: events.Event, offset: int) -> Received:
    """Return an event as received by the runtime."""
    return Received(topic=event.topic, partition=0, offset=offset, append_time=0, message=encode(event), event=event)


def numbers_of(item: Received) -> list[int]:
    """Return the numbers that the records of an event contain."""
    event = decode(item.topic, item.message)
    if isinstance(event, events.ChangeEvent):
        return [int(record.entries[0].value) for record in event.records]
    assert isinstance(event, events.LogEvent)
    return [row["number"] for row in unpack_rows(event)]


@given(blocks, st.integers(1, 5))
def test_every_row_reaches_the_consumer_once(sent: list[Block], batch: int) -> None:
    """In any blocks and batches, each row of a writer is passed on once, with its values."""
    progress: dict[WriterKey, Progress] = {}
    seen: list[tuple[int, int]] = []
    published = [
        received(rows_block(WRITERS[writer], seq, count), offset) for offset, (writer, seq, count) in enumerate(sent)
    ]
    for start in range(0, len(published), batch):
        trimmed = trim(progress, published[start : start + batch])
        progress |= trimmed.progress
        for item in trimmed.events:
            seen += [(item.event.writer.id[0], number) for number in numbers_of(item)]
    assert sorted({(writer, number) for writer, seq, count in sent for number in range(seq, seq + count)}) == sorted(
        seen
    )


@given(blocks)
def test_records_of_changes_are_cut_like_rows(sent: list[Block]) -> None:
    """Config records are passed on once each, in any blocks."""
    published = [
        received(changes_block(WRITERS[writer], seq, count), offset) for offset, (writer, seq, count) in enumerate(sent)
    ]
    seen = [(item.event.writer.id[0], number) for item in trim({}, published).events for number in numbers_of(item)]
    assert sorted({(writer, number) for writer, seq, count in sent for number in range(seq, seq + count)}) == sorted(
        seen
    )


@given(blocks, st.sets(st.integers(0, 40)))
def test_failed_events_are_new_when_they_arrive_again(sent: list[Block], failing: set[int]) -> None:
    """Failed events leave a hole, which the same events fill exactly."""
    published = [
        received(rows_block(WRITERS[writer], seq, count), offset) for offset, (writer, seq, count) in enumerate(sent)
    ]
    first = trim({}, published)
    failed = {index for index in failing if index < len(first.events)}
    progress = first.progress_without({}, failed)
    lost = sorted(
        (first.events[index].event.writer.id[0], number)
        for index in failed
        for number in numbers_of(first.events[index])
    )
    again = [
        (item.event.writer.id[0], number) for item in trim(progress, published).events for number in numbers_of(item)
    ]
    assert lost == sorted(again)


def test_drop_marker_uses_up_its_numbers() -> None:
    """Rows whose numbers a drop marker has used are duplicates; others are kept."""
    dropped = received(rows_block(WRITERS[0], 0, 5, events.Kind.DROPPED), 0)
    trimmed = trim({}, [dropped, received(rows_block(WRITERS[0], 3, 4), 1)])
    assert [numbers_of(item) for item in trimmed.events if item.event.kind is events.Kind.DATA] == [[5, 6]]


def test_heartbeats_are_kept_unchanged() -> None:
    """Beats are not numbered, so a repeated beat is kept."""
    beat = received(
        events.HeartbeatEvent(header=events.Header(kind=events.Kind.BEAT, run=RUN, writer=WRITERS[0], time=0)), 0
    )
    assert trim({}, [beat, beat]).events == [beat, beat]
