"""The chain of appends: every append is a link that holds the record and the state of the writer after it.

An append is decided by one ``list.append`` to the last link's list of successors: the first element is the next link,
permanently. See docs/hot-path.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runstream.spool.format import (
    ALIGNMENT,
    CRC_START,
    RECORD_TAIL,
    WHOLE,
    Flag,
    StreamCode,
    TopicCode,
    kind_of,
)
from runstream.spool.segment import Segment
from runstream.spool.segment_factory import RESERVE

if TYPE_CHECKING:
    from collections.abc import Mapping


#: The kinds of whole records by topic.
_KINDS = {topic: kind_of(topic, WHOLE) for topic in TopicCode}


class RowState(NamedTuple):
    """Position of a writer in its rows."""

    #: The seq of the next row.
    next_row: int
    #: The step of the next row without one, or that of the open row if that is the latest.
    counter: int
    #: The step of the open row; None if no row is open.
    open_step: int | None
    #: The seq of the open row.
    open_row: int


class SharedState(msgspec.Struct, kw_only=True):
    """The part of a writer's state that most appends leave unchanged; never changed in place."""

    segment: Segment
    #: Offset that a record on the fast path must not exceed; 0 if every append has to take the slow path.
    limit: int = 0
    #: Records of each topic but the log so far, by topic code.
    counts: tuple[int, ...] = (0,) * (max(TopicCode) + 1)
    #: Dropped records without a marker yet, by topic: first seq and how many.
    waiting: Mapping[int, tuple[int, int]] = msgspec.field(default_factory=dict)
    #: Records dropped in all.
    dropped: int = 0
    #: Whether the segment is not to be used any more.
    full: bool = False
    #: Raised by every append: the writer is closed, or belongs to the parent process.
    refusal: type[Exception] | None = None

    def replaced(self, **changes: Any) -> SharedState:
        """Return a copy with changes, and the limit that follows from them."""
        shared = msgspec.structs.replace(self, **changes)
        fast = shared.segment.mapped and not (shared.waiting or shared.full or shared.refusal)
        shared.limit = shared.room if fast else 0
        return shared

    @property
    def room(self) -> int:
        """The offset that a record must not exceed, unless it may use the reserve."""
        return 0 if self.full else self.segment.size - RESERVE

    def refusing(self, error: type[Exception]) -> SharedState:
        """Return the state of a writer that appends no more."""
        return self.replaced(segment=Segment.empty(self.segment.number), refusal=error)


class Link(NamedTuple):
    """One append and the state after it. The fast path creates plain tuples of the same fields."""

    #: The first element is the next link.
    successors: list[Any]
    #: The record without length and CRC. Empty if the link changes the state only; None if it undoes the link before
    #: it, which could not be stored.
    body: bytes | None
    #: The order of the next record.
    order: int
    #: Offset of the next record in the segment.
    position: int
    next_row: int
    counter: int
    #: Step and seq of the open row.
    opened: tuple[int, int] | None
    shared: SharedState

    @property
    def rows(self) -> RowState:
        """Position in the rows."""
        return RowState(self.next_row, self.counter, *(self.opened or (None, 0)))

    def then(
        self,
        body: bytes = b"",
        *,
        rows: RowState | None = None,
        shared: SharedState | None = None,
        position: int | None = None,
    ) -> Link:
        """Return a link that may follow this one, with a record (empty for none); what is not specified stays."""
        next_row, counter, step, row = rows or (self.next_row, self.counter, None, 0)
        opened = self.opened if rows is None else None if step is None else (step, row)
        if position is None:
            position = aligned(self.end_of(body)) if body else self.position
        return Link([], body, self.order + bool(body), position, next_row, counter, opened, shared or self.shared)

    def with_record(self, topic: TopicCode, payload: bytes, now: int) -> tuple[bytes, Link]:
        """Return a record of another topic than the log, and its link."""
        _, _, order, position, next_row, counter, opened, shared = self
        counts = [*shared.counts]
        body = RECORD_TAIL.pack(_KINDS[topic], order, counts[topic], 0, now) + payload
        counts[topic] += 1
        shared = msgspec.structs.replace(shared, counts=tuple(counts))  # the limit does not depend on them
        end = aligned(position + CRC_START + len(body))
        return body, Link([], body, order + 1, end, next_row, counter, opened, shared)

    def with_marker(self, reason: str, now: int) -> Link:
        """Return the link that stores a marker for the dropped records of one topic."""
        topic, (first, number) = next(iter(self.shared.waiting.items()))
        waiting = {other: dropped for other, dropped in self.shared.waiting.items() if other != topic}
        stream = StreamCode.HISTORY if topic == TopicCode.LOG else StreamCode.NONE
        kind = kind_of(TopicCode(topic), WHOLE | Flag.DROPPED, stream)
        payload = msgspec.msgpack.encode({"dropped": number, "reason": reason})
        body = RECORD_TAIL.pack(kind, self.order, first, 0, now) + payload
        return self.then(body, shared=self.shared.replaced(waiting=waiting))

    def has_room(self, length: int) -> bool:
        """Return whether a record of a length without length and CRC can be stored next."""
        return self.position + CRC_START + length <= self.shared.room

    def end_of(self, body: bytes) -> int:
        """Return the offset at which a record ends that is stored next."""
        return self.position + CRC_START + len(body)

    def undone(self, failed: Link) -> Link:
        """Return the link that undoes the one after this, which could not be stored; see :attr:`body`."""
        # A segment that cannot be written is not used any more, not even for the exit.
        segment = Segment.empty(self.shared.segment.number) if failed.body else self.shared.segment
        shared = self.shared.replaced(segment=segment, full=True)
        return self._replace(successors=[], body=None, shared=shared)

    def dropping(self, topic: int, after: Link) -> Link:
        """Return the link that counts a record as dropped, not ``after``; one of the log closes the open row."""
        shared, is_row = self.shared, topic == TopicCode.LOG
        seq = self.next_row if is_row else shared.counts[topic]
        first, number = shared.waiting.get(topic, (seq, 0))
        shared = shared.replaced(
            counts=after.shared.counts,
            waiting={**shared.waiting, topic: (first, number + 1)},
            dropped=shared.dropped + 1,
            full=True,
        )
        rows = RowState(seq + 1, after.counter, None, 0) if is_row else None
        return self.then(rows=rows, shared=shared)


def now_us() -> int:
    """Return the time of a record: microseconds since 1970."""
    return time.time_ns() // 1000


def aligned(offset: int) -> int:
    """Return the first offset from this one on at which a record may begin."""
    return offset + ALIGNMENT - 1 & -ALIGNMENT
