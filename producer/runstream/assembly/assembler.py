"""From appends to records as they are published: rows are joined, numbers are checked, what is missing is marked.

Pure: spool records in, blocks out. The rules of numbering are those of ``docs/spool.md``.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.assembly.block import Block
from runstream.spool.format import Flag, TopicCode
from runstream.spool.joining import merge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runstream.spool.reader import Position, SpoolRecord

DAMAGED = "the spool is damaged here"
UNREADABLE = "the record cannot be read"

_WHOLE = int(Flag.OPENS | Flag.CLOSES)
_INT32 = 2**31
_OPENS, _CLOSES, _DROPPED, _LATE_ROW = int(Flag.OPENS), int(Flag.CLOSES), int(Flag.DROPPED), int(Flag.LATE_ROW)
_BRANCH, _EXPLICIT_STEP = int(Flag.BRANCH), int(Flag.EXPLICIT_STEP)
#: Topics whose events carry many records.
_MANY = frozenset([int(TopicCode.LOG), int(TopicCode.CONFIG), int(TopicCode.SUMMARY)])
_LOG, _EXIT = int(TopicCode.LOG), int(TopicCode.EXIT)


class _Note(msgspec.Struct):
    dropped: int = 1
    reason: str = "dropped by the writer"


class Assembler:
    """Assembles the appends of one writer.

    Args:
        acked: The first ``seq`` of each topic that is not delivered yet; records below are passed over.
        block_bytes: Payload bytes at which a block is closed.
        block_rows: Records at which a block is closed.
        base: Added to the steps of rows before ``explicit_from``.
        explicit_from: The order from which on steps are as they stand; None: from the first on that the program said.
    """

    def __init__(
        self,
        acked: Mapping[int, int],
        *,
        block_bytes: int,
        block_rows: int,
        base: int = 0,
        explicit_from: int | None = None,
    ) -> None:
        self._base = base
        self.explicit_from = explicit_from
        #: The next ``seq`` of each topic as it is read, which for rows is behind the open one.
        self._next = dict(acked)
        self._block_bytes = block_bytes
        self._block_rows = block_rows
        self._decode = msgspec.msgpack.Decoder().decode
        self._filling: dict[int, Block] = {}
        self._ready: list[Block] = []
        self._open: _OpenRow | None = None
        #: What was read behind the open row: it is published once that is, so that blocks are contiguous in ``seq``.
        self._behind: list[Block | tuple[SpoolRecord, Any]] = []
        #: The order behind the last append that was taken; None before the first.
        self.next_order: int | None = None
        #: The last record of the writer, once it was taken.
        self.exit: SpoolRecord | None = None

    @property
    def counts(self) -> dict[int, int]:
        """Records of each topic so far, the open row included."""
        return dict(self._next)

    @property
    def oldest(self) -> Position | None:
        """Where the first append lies that is in no block yet; None where all are."""
        starts = [block.start for block in self._filling.values()]
        if self._open is not None:
            starts.append(self._open.position)
        return min(starts, default=None)

    def take(self, records: Sequence[SpoolRecord]) -> None:
        """Take the next appends of the writer."""
        index, end = 0, len(records)
        while (index := self._take_whole_rows(records, index)) < end:
            self._take_one(records[index])
            index += 1

    def _take_one(self, record: SpoolRecord) -> None:
        lost = 0 if self.next_order is None else record.order - self.next_order
        if lost:
            self._notice_gap(record, lost)
        self.next_order = record.order + 1
        if record.topic == _LOG:
            self._take_log(record)
        elif record.topic == _EXIT:
            self._take_exit(record, lost)
        else:
            self._take_other(record)

    def _take_whole_rows(self, records: Sequence[SpoolRecord], index: int) -> int:
        """Take the rows that just go on with the block being filled; return the index of the first that does not.

        Nearly all records are such rows, so this loop is what the shipper spends its time in.
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
        """End the row that is open: nothing joins it any more."""
        if (row := self._open) is not None:
            self._open = None
            self._add(row, row.values, row.size)
            self._release()

    def blocks(self) -> list[Block]:
        """Return the blocks made of all whole records taken so far, and forget them."""
        ready, self._ready = self._ready, []
        ready.extend(self._filling.values())
        self._filling.clear()
        return ready

    def _shift(self, order: int | None) -> int:
        """Return what is added to the steps of rows from an order on, until the program says one."""
        return self._base if self.explicit_from is None or order is None or order < self.explicit_from else 0

    def _take_log(self, record: SpoolRecord) -> None:
        if self._base and not record.flags & (_DROPPED | _BRANCH):
            if record.flags & _EXPLICIT_STEP and self.explicit_from is None:
                self.explicit_from = record.order
            record = record._replace(step=record.step + self._shift(record.order))
        flags, seq = record.flags, record.seq
        if flags & _DROPPED or (flags & _OPENS and not flags & _LATE_ROW):
            self.close_row()
        expected = self._next.get(_LOG, 0)
        if flags & _DROPPED:
            self._take_dropped(record)
        elif (row := self._open) is not None and not flags & _OPENS and row.seq == seq:
            self._join(row, record)
        elif seq < expected:  # delivered before, or its row was given up already
            if not flags & _OPENS:
                self.close_row()  # the lost append that opened another row did so before
        elif not flags & _OPENS:
            self._miss(_LOG, seq + 1, record.position, DAMAGED)  # the beginning of this row is gone
        else:
            if seq > expected:
                self._miss(_LOG, seq, record.position, DAMAGED)
            self._open_row(record)

    def _open_row(self, record: SpoolRecord) -> None:
        values = self._row_of(record)
        if values is None:
            self._miss(_LOG, record.seq + 1, record.position, UNREADABLE)
            return
        self._next[_LOG] = record.seq + 1
        if self._open is not None:
            self._behind.append((record, values))
        elif record.flags & _BRANCH:
            self._add_branch(record, values)
        elif record.flags & _CLOSES:
            self._add(record, values, len(record.payload))
        else:
            self._open = _OpenRow(record, values)

    def _join(self, row: _OpenRow, record: SpoolRecord) -> None:
        values = self._row_of(record)
        if values is None:
            self._give_up_row(UNREADABLE)
            return
        merge(row.values, values)
        row.order, row.time = record.order, record.time
        row.size += len(record.payload)
        if record.flags & _CLOSES:
            self.close_row()

    def _row_of(self, record: SpoolRecord) -> dict[Any, Any] | None:
        try:
            values = self._decode(record.payload)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return values if type(values) is dict else None

    def _take_other(self, record: SpoolRecord) -> None:
        topic, seq = record.topic, record.seq
        expected = self._next.get(topic, 0)
        if record.flags & _DROPPED:
            self._take_dropped(record)
            return
        if seq < expected:
            return
        if seq > expected:
            self._miss(topic, seq, record.position, DAMAGED)
        try:
            values = self._decode(record.payload)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self._miss(topic, seq + 1, record.position, UNREADABLE)
            return
        self._next[topic] = seq + 1
        self._add(record, values, len(record.payload))

    def _take_dropped(self, record: SpoolRecord) -> None:
        """Take a note of the writer that it dropped records: they use up their numbers."""
        count, reason = self.dropped(record)
        expected = self._next.get(record.topic, 0)
        if record.seq > expected:
            self._miss(record.topic, record.seq, record.position, DAMAGED)
        if record.seq + count > expected:
            self._miss(record.topic, record.seq + count, record.position, reason)

    @staticmethod
    def dropped(record: SpoolRecord) -> tuple[int, str]:
        """Return how many records a note says were dropped, and why."""
        try:
            note = msgspec.msgpack.decode(record.payload, type=_Note)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return 1, UNREADABLE
        return note.dropped if 0 < note.dropped < _INT32 else 1, note.reason

    def _take_exit(self, record: SpoolRecord, lost: int) -> None:
        self.close_row()
        if lost:  # what was lost last has no successor to tell its topic; nearly always it was rows
            self._miss(_LOG, self._next.get(_LOG, 0) + lost, record.position, DAMAGED)
        self.exit = record

    def _notice_gap(self, record: SpoolRecord, missing: int) -> None:
        """Appends are missing before this record: unless they are all rows of their own, the open row lacks some."""
        row = self._open
        if row is None:
            return
        explained = record.topic == _LOG and record.flags & _OPENS and record.seq - self._next[_LOG] == missing
        if not explained:
            self._give_up_row(DAMAGED)

    def _give_up_row(self, reason: str) -> None:
        if (row := self._open) is not None:
            self._open = None
            self._mark(Block(_LOG, 0, row.seq, row.position, reason=reason, missing=1))
            self._release()

    def _miss(self, topic: int, stop: int, start: Position, reason: str) -> None:
        """Mark the records from the next expected one up to ``stop`` as missing."""
        expected = self._next.get(topic, 0)
        self._next[topic] = stop
        block = Block(topic, 0, expected, start, reason=reason, missing=stop - expected)
        if topic == _LOG and self._open is not None:
            self._behind.append(block)
        else:
            self._mark(block)

    def _mark(self, missing: Block) -> None:
        self._finish(missing.topic)
        self._ready.append(missing)

    def _release(self) -> None:
        """Publish what was read behind the row that was open."""
        behind, self._behind = self._behind, []
        for item in behind:
            if isinstance(item, Block):
                self._mark(item)
            else:
                record, values = item
                self._add(record, values, len(record.payload))

    def _finish(self, topic: int) -> None:
        if (block := self._filling.pop(topic, None)) is not None:
            self._ready.append(block)

    def _add_branch(self, record: SpoolRecord, values: Any) -> None:
        """Publish in an event of its own that the rows go on from a run."""
        self._finish(_LOG)
        block = Block(_LOG, record.stream, record.seq, record.position, is_branch=True)
        block.orders, block.steps, block.times, block.values = [record.order], [record.step], [record.time], [values]
        self._ready.append(block)

    def _add(self, append: SpoolRecord | _OpenRow, values: Any, size: int) -> None:
        topic, stream = append.topic, append.stream
        block = self._filling.get(topic)
        if (
            block is None
            or block.stream != stream
            or block.size >= self._block_bytes
            or block.orders[-1] > append.order  # a late row, logged before the last append of the row in front of it
        ):
            self._finish(topic)
            block = self._filling[topic] = Block(topic, stream, append.seq, append.position)
        block.orders.append(append.order)
        block.steps.append(append.step)
        block.times.append(append.time)
        block.values.append(values)
        block.size += size
        block.largest = max(block.largest, size)
        if len(block.values) >= (self._block_rows if topic in _MANY else 1):
            self._finish(topic)


class _OpenRow:
    """A row that later appends may join; ``order`` and ``time`` are those of the last one."""

    __slots__ = ("order", "position", "seq", "size", "step", "stream", "time", "topic", "values")

    def __init__(self, record: SpoolRecord, values: dict[Any, Any]) -> None:
        self.topic, self.stream, self.seq, self.step = record.topic, record.stream, record.seq, record.step
        self.order, self.time = record.order, record.time
        self.position = record.position
        self.values = values
        self.size = len(record.payload)
