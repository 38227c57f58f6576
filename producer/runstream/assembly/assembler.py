"""From appends to records as they are published: joins rows, checks numbers, and marks what is missing.

Spool records in, blocks out, without I/O. This is the only implementation of the numbering rules in ``docs/spool.md``:
the shipper sends the blocks, and the training process computes its summary from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from runstream.assembly.block import Block
from runstream.spool.format import Flag, StreamCode, TopicCode
from runstream.spool.reader import Position, SpoolRecord
from runstream.spool.row_merge import merge

DAMAGED = "the spool is damaged here"
UNREADABLE = "the record cannot be read"

_WHOLE = int(Flag.OPENS | Flag.CLOSES)
_INT32 = 2**31
_TOPICS = frozenset(map(int, TopicCode))
_OPENS, _CLOSES, _DROPPED, _LATE_ROW = int(Flag.OPENS), int(Flag.CLOSES), int(Flag.DROPPED), int(Flag.LATE_ROW)
_BRANCH, _EXPLICIT_STEP = int(Flag.BRANCH), int(Flag.EXPLICIT_STEP)
#: Topics whose events carry many records.
_MANY = frozenset([int(TopicCode.LOG), int(TopicCode.CONFIG), int(TopicCode.SUMMARY)])
_LOG, _EXIT, _HISTORY = int(TopicCode.LOG), int(TopicCode.EXIT), int(StreamCode.HISTORY)


class _DroppedRecords(msgspec.Struct):
    dropped: int = 1
    reason: str = "dropped by the writer"


class Assembler:
    """Assembles the appends of one writer.

    ``acked`` has, by topic, the first ``seq`` that is not delivered yet: records below it are skipped. ``base`` is
    added to the steps of rows before the order ``explicit_from``; None detects the first explicit step. ``unpublished``
    are the rows that :meth:`unpublished` returned after the appends before ``next_order``.
    """

    def __init__(
        self,
        acked: Mapping[int, int],
        *,
        block_bytes: int,
        block_rows: int,
        base: int = 0,
        explicit_from: int | None = None,
        next_order: int | None = None,
        unpublished: Sequence[Sequence[Any]] = (),
    ) -> None:
        self._base = base
        self.explicit_from = explicit_from
        #: The next ``seq`` of each topic; for rows, the one after the open row.
        self._next = dict(acked)
        self._block_bytes = block_bytes
        self._block_rows = block_rows
        self._decode = msgspec.msgpack.Decoder().decode
        self._filling: dict[int, Block] = {}
        self._ready: list[Block] = []
        self._open: _Row | None = None
        #: Late rows and markers after the open row: published after it, so that blocks are contiguous in ``seq``.
        self._after_open: list[Block | _Row] = []
        #: The order after the last append that was added; None before the first.
        self.next_order = next_order
        #: The last record of the writer, once it was added.
        self.exit: SpoolRecord | None = None
        if rows := [_Row.restore(data) for data in unpublished]:
            self._open, self._after_open = rows[0], [*rows[1:]]
            self._next[_LOG] = rows[-1].seq + 1

    @property
    def counts(self) -> dict[int, int]:
        """Records of each topic so far, including the open row."""
        return dict(self._next)

    @property
    def oldest(self) -> Position | None:
        """The position of the first append that is not part of a returned block, or None if all are."""
        starts = [block.start for block in self._filling.values()]
        if self._open is not None:
            starts.append(self._open.position)
        return min(starts, default=None)

    def add(self, records: Sequence[SpoolRecord]) -> None:
        """Add the next appends of the writer."""
        index, end = 0, len(records)
        while (index := self._add_whole_rows(records, index)) < end:
            self._add_one(records[index])
            index += 1

    def unpublished(self) -> list[list[Any]]:
        """Return the open row and the late rows after it as plain data, to continue with in another assembler."""
        rows = [self._open, *self._after_open]
        return [row.to_data() for row in rows if isinstance(row, _Row)]

    def _add_one(self, record: SpoolRecord) -> None:
        lost = 0 if self.next_order is None else record.order - self.next_order
        if lost:
            are_rows = record.topic == _LOG and record.flags & _OPENS and record.seq - self._next.get(_LOG, 0) == lost
            if not are_rows:  # one of the missing appends may have joined the open row
                self._end_open_row(DAMAGED)
        self.next_order = record.order + 1
        if record.topic not in _TOPICS:
            return  # written by a later version: there is no topic to publish or to mark it in
        if record.topic == _LOG:
            self._add_log(record)
        elif record.topic == _EXIT:
            self._add_exit(record, lost)
        else:
            self._add_other(record)

    def _add_whole_rows(self, records: Sequence[SpoolRecord], index: int) -> int:
        """Add the rows that simply continue the current block; return the index of the first record that does not.

        Nearly all records are such rows, so the shipper spends most of its time in this loop.
        """
        block = self._filling.get(_LOG)
        if block is None or self._open is not None:
            return index
        order, seq, stream, size, largest = self.next_order, block.stop, block.stream, block.size, block.largest
        shift = self._shift(order)
        room, most, decode, values = self._block_rows - len(block.values), self._block_bytes, self._decode, block.values
        for record in islice(records, index, index + room):
            topic, flags, its_stream, its_order, its_seq, step, time, payload, _, _ = record
            if flags != _WHOLE or topic != _LOG or its_order != order or its_seq != seq or its_stream != stream:
                break
            if size >= most:
                break
            try:
                row = decode(payload)
            except (msgspec.DecodeError, ValueError, RecursionError):
                break
            if type(row) is not dict:
                break
            values.append(row)
            block.orders.append(order)
            block.steps.append(step + shift)
            block.times.append(time)
            length = len(payload)
            size += length
            if length > largest:  # noqa: PLR1730 (max() costs as much as the rest of the loop)
                largest = length
            order += 1
            seq += 1
            index += 1
        block.size, block.largest, self.next_order, self._next[_LOG] = size, largest, order, seq
        if len(values) >= self._block_rows:
            self._finish(_LOG)
        return index

    def close_row(self) -> None:
        """Complete the open row: no later append joins it."""
        self._end_open_row()

    def blocks(self) -> list[Block]:
        """Return, and remove, the blocks of all complete records added so far."""
        ready, self._ready = self._ready, []
        ready.extend(self._filling.values())
        self._filling.clear()
        return ready

    def _shift(self, order: int | None) -> int:
        """Return what is added to the step of a row with this order: ``base`` until the first explicit step."""
        return self._base if self.explicit_from is None or order is None or order < self.explicit_from else 0

    def _add_log(self, record: SpoolRecord) -> None:
        if self._base and not record.flags & (_DROPPED | _BRANCH):
            if record.flags & _EXPLICIT_STEP and self.explicit_from is None:
                self.explicit_from = record.order
            record = record._replace(step=record.step + self._shift(record.order))
        flags, seq = record.flags, record.seq
        if flags & _DROPPED or (flags & _OPENS and not flags & _LATE_ROW):
            self.close_row()
        expected = self._next.get(_LOG, 0)
        if flags & _DROPPED:
            self._add_dropped(record)
        elif (row := self._open) is not None and not flags & _OPENS and row.seq == seq:
            self._join(row, record)
        elif seq < expected:  # delivered before, or part of a row that is marked as missing
            if not flags & _OPENS:
                self.close_row()  # a lost append has opened another row since
        elif not flags & _OPENS:
            self._miss(_LOG, seq + 1, record.position, DAMAGED)  # the beginning of this row is missing
        else:
            if seq > expected:
                self._miss(_LOG, seq, record.position, DAMAGED)
            self._open_row(record)

    def _open_row(self, record: SpoolRecord) -> None:
        if (values := self._decode_row(record)) is None:
            self._miss(_LOG, record.seq + 1, record.position, UNREADABLE)
            return
        self._next[_LOG] = record.seq + 1
        if self._open is not None:
            self._after_open.append(_Row(record, values))
        elif record.flags & _BRANCH:
            self._add_branch(record, values)
        elif record.flags & _CLOSES:
            self._publish(_Row(record, values))
        else:
            self._open = _Row(record, values)

    def _join(self, row: _Row, record: SpoolRecord) -> None:
        if (values := self._decode_row(record)) is None:
            self._end_open_row(UNREADABLE)
            return
        merge(row.values, values)
        row.order, row.time = record.order, record.time
        row.size += len(record.payload)
        if record.flags & _CLOSES:
            self.close_row()

    def _decode_row(self, record: SpoolRecord) -> dict[Any, Any] | None:
        try:
            values = self._decode(record.payload)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return values if type(values) is dict else None

    def _add_other(self, record: SpoolRecord) -> None:
        topic, seq = record.topic, record.seq
        if record.flags & _DROPPED:
            self._add_dropped(record)
            return
        if seq < self._next.get(topic, 0):
            return
        self._miss(topic, seq, record.position, DAMAGED)
        try:
            values = self._decode(record.payload)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self._miss(topic, seq + 1, record.position, UNREADABLE)
            return
        self._next[topic] = seq + 1
        self._publish(_Row(record, values))

    def _add_dropped(self, record: SpoolRecord) -> None:
        """Mark the records that the writer dropped: they use up their numbers."""
        count, reason = self.dropped(record)
        self._miss(record.topic, record.seq, record.position, DAMAGED)
        self._miss(record.topic, record.seq + count, record.position, reason)

    @staticmethod
    def dropped(record: SpoolRecord) -> tuple[int, str]:
        """Return how many records a record with flag DROPPED replaces, and why they were dropped."""
        try:
            note = msgspec.msgpack.decode(record.payload, type=_DroppedRecords)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return 1, UNREADABLE
        return note.dropped if 0 < note.dropped < _INT32 else 1, note.reason

    def _add_exit(self, record: SpoolRecord, lost: int) -> None:
        self.close_row()
        if lost:  # the topic of what was lost last is unknown; nearly always it was rows
            self._miss(_LOG, self._next.get(_LOG, 0) + lost, record.position, DAMAGED)
        self.exit = record

    def _miss(self, topic: int, stop: int, start: Position, reason: str) -> None:
        """Mark the records from the next expected one up to ``stop`` as missing, if there are any."""
        expected = self._next.get(topic, 0)
        if stop <= expected:
            return
        self._next[topic] = stop
        block = Block(topic, 0, expected, start, reason=reason, missing=stop - expected)
        if topic == _LOG and self._open is not None:
            self._after_open.append(block)
        else:
            self._mark(block)

    def _mark(self, missing: Block) -> None:
        self._finish(missing.topic)
        self._ready.append(missing)

    def _end_open_row(self, reason: str = "") -> None:
        """Publish the open row, or with a reason a marker for it, then the late rows and markers after it."""
        if (row := self._open) is None:
            return
        first = Block(_LOG, 0, row.seq, row.position, reason=reason, missing=1) if reason else row
        items = [first, *self._after_open]
        self._open, self._after_open = None, []
        for item in items:
            if isinstance(item, Block):
                self._mark(item)
            else:
                self._publish(item)

    def _finish(self, topic: int) -> None:
        if (block := self._filling.pop(topic, None)) is not None:
            self._ready.append(block)

    def _add_branch(self, record: SpoolRecord, values: Any) -> None:
        """Publish a branch in a block of one record."""
        self._finish(_LOG)
        block = Block(_LOG, record.stream, record.seq, record.position, is_branch=True)
        block.orders, block.steps, block.times, block.values = [record.order], [record.step], [record.time], [values]
        self._ready.append(block)

    def _publish(self, row: _Row) -> None:
        topic = row.topic
        block = self._filling.get(topic)
        if (
            block is None
            or block.stream != row.stream
            or block.size >= self._block_bytes
            or block.orders[-1] > row.order  # a late row, logged before the last append of the row before it
        ):
            self._finish(topic)
            block = self._filling[topic] = Block(topic, row.stream, row.seq, row.position)
        block.orders.append(row.order)
        block.steps.append(row.step)
        block.times.append(row.time)
        block.values.append(row.values)
        block.size += row.size
        block.largest = max(block.largest, row.size)
        if len(block.values) >= (self._block_rows if topic in _MANY else 1):
            self._finish(topic)


class _Row:
    """A row, or another record; ``order`` and ``time`` are those of the last append that joined it."""

    __slots__ = ("order", "position", "seq", "size", "step", "stream", "time", "topic", "values")

    def __init__(self, record: SpoolRecord, values: Any) -> None:
        self.topic, self.stream, self.seq, self.step = record.topic, record.stream, record.seq, record.step
        self.order, self.time = record.order, record.time
        self.position = record.position
        self.values = values
        self.size = len(record.payload)

    def to_data(self) -> list[Any]:
        """Return a row of the history as plain data."""
        return [self.seq, self.step, self.order, self.time, self.values]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> _Row:
        """Return the row that :meth:`to_data` described; its position is not known."""
        seq, step, order, time, values = data
        return cls(SpoolRecord(_LOG, 0, _HISTORY, order, seq, step, time, b"", 0, 0), values)
