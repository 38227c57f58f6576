"""Appending to the spool: the one thing that ``log()`` waits for."""

from __future__ import annotations

import os
import struct
import time
import weakref
import zlib
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runstream.exceptions import DiskFullError
from runstream.spool.claim import Claim
from runstream.spool.format import ALIGNMENT, RECORD_HEADER, SEGMENT_HEADER, Flag, StreamCode, TopicCode
from runstream.spool.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER_SIZE = RECORD_HEADER.size
FIRST = SEGMENT_HEADER.size
#: The header behind length and CRC, with topic, flags and stream as one word: see :func:`kind_of`.
_TAIL = struct.Struct("<QQQqq")
_PREFIX = HEADER_SIZE - _TAIL.size

SMALLEST_SEGMENT = 256 * 1024
LARGEST_SEGMENT = 4 * 1024 * 1024
#: Taken when the disk has no room for a whole segment.
LAST_RESORT = 16 * 1024
#: Kept free at the end of every segment for markers and the exit, so that a full disk does not swallow them.
RESERVE = 2048
#: Seconds between two attempts to get room on a full disk.
RETRY_S = 0.1


class DiskPolicy(Enum):
    """What an append does when the disk is full."""

    DROP = "drop"
    BLOCK = "block"
    RAISE = "raise"


class ForkedError(Exception):
    """The writer belongs to the parent of this process."""


class ClosedError(Exception):
    """The writer has appended its last record."""


def kind_of(topic: TopicCode, flags: Flag, stream: StreamCode = StreamCode.NONE) -> int:
    """Return topic, flags and stream as the word that stands in the record header."""
    return topic | flags << 8 | stream << 16


WHOLE = Flag.OPENS | Flag.CLOSES


class RowState(NamedTuple):
    """Where a writer is in its rows; what an append takes from here and leaves behind."""

    #: The seq of the next row.
    next_row: int
    #: The step of the next row without one, or that of the open row if that is the latest.
    counter: int
    #: The step of the open row, None while none is open.
    open_step: int | None
    #: The seq of the open row.
    open_row: int


class SpoolWriter:
    """Appends the records of one writer. Safe with threads, signals and forks.

    An append is in the spool, and survives the death of the process, when the call returns. It takes effect in
    statements between which CPython neither handles signals nor switches threads, because none of them calls anything:
    an exception thrown by a signal handler leaves either the whole record or nothing. For the same reason a thread
    claims the writer by an assignment instead of a lock, which would cost a tenth of a whole append.

    A signal handler that itself appends goes first; the append that it interrupted notices by the order, and begins
    again.

    Args:
        folder: The writer's folder, which exists.
        writer: Id of the writer.
        policy: What to do when the disk is full.
        report: Called with one sentence when something had to be dropped or waited for.
        smallest: Size of the first segment; each further one is twice as large.
        largest: Size up to which they grow; a record that is larger gets a segment of its own.
        mapped: Map the segments; False writes to them, as is done where their space cannot be reserved.

    Raises:
        OSError: The first segment cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        writer: bytes,
        *,
        policy: DiskPolicy = DiskPolicy.DROP,
        report: Callable[[str], None] = lambda _: None,
        smallest: int = SMALLEST_SEGMENT,
        largest: int = LARGEST_SEGMENT,
        mapped: bool = True,
    ) -> None:
        self._folder = folder
        self._writer = writer
        self._policy = policy
        self._report = report
        self._largest = largest
        self._next_size = smallest
        self._mapped = mapped
        self._retry_at = 0.0
        #: Dropped and not yet marked, by topic: first seq and how many.
        self._waiting: dict[int, tuple[int, int]] = {}
        #: The thread that appends, 0 for none, LOGGING for one that is in the middle of a row.
        self.claimed_by = 0
        #: The order of the next append.
        self.order = 0
        #: The step of the next row without one, or that of the open row if that is the latest.
        self.counter = 0
        #: The step of the open row, None while none is open.
        self.open_step: int | None = None
        #: The seq of the open row.
        self.open_row = 0
        #: The seq of the next row.
        self.next_row = 0
        #: Records of each topic but the log so far, by topic code.
        self.counts = [0] * (max(TopicCode) + 1)
        #: Records dropped in all.
        self.dropped = 0
        self.pid = os.getpid()
        #: Whether the last record is appended.
        self.closed = False
        #: Called before the segment changes, while its bytes can still be read.
        self.rotated: Callable[[], None] = lambda: None
        self.segment = self._segment(0, smallest)
        self.segment.publish()
        self._bytes = self.segment.bytes
        self._words = self.segment.words
        self._position = FIRST
        self._limit = smallest - RESERVE
        #: Prepared, and not taken into use yet.
        self._next: Segment | None = None
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(this))

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process that made the writer."""
        return os.getpid() != self.pid

    def claim(self) -> Claim:
        """Return a context in which this thread alone appends; a thread that has it may take it again."""
        return Claim(self)

    @property
    def rows(self) -> RowState:
        """Where the writer is in its rows."""
        return RowState(self.next_row, self.counter, self.open_step, self.open_row)

    def append_row(self, order: int, kind: int, now: int, payload: bytes) -> int:
        """Append a whole row at the counter, while no row is open. The caller has claimed the writer.

        Args:
            order: :attr:`order`, read before it was found that no row is open.
            kind: What :func:`kind_of` gives for :data:`WHOLE`.
            now: Microseconds since 1970.
            payload: msgpack.

        Returns:
            Where in the segment the record lies; 0 if it was dropped; -1 if another append of this thread came in
            between: then everything is to be worked out again.

        Raises:
            ForkedError: The process is a fork of the one that made this writer.
            ClosedError: The last record is appended already.
            DiskFullError: There is no room, and the policy is to raise.
        """
        seq, step, position = self.next_row, self.counter, self._position
        body = _pack(kind, order, seq, step, now) + payload
        start = position + _PREFIX
        end = start + len(body)
        if end > self._limit:
            return self._without_room(len(payload), step + 1)
        crc = _crc32(body)
        word = position >> 2
        # From the comparison to the last assignment: no calls, so nothing comes in between (see the class).
        if self.order != order:
            return -1
        self._bytes[start:end] = body
        self._words[word + 1] = crc
        self._words[word] = end - position
        self._position = end + 7 & -8
        self.order = order + 1
        self.next_row = seq + 1
        self.counter = step + 1
        return position

    def append_part(  # noqa: PLR0917 - as append_row()
        self, order: int, kind: int, seq: int, step: int, now: int, payload: bytes, after: RowState
    ) -> int:
        """Append to the log what need not be a whole row at the counter. Returns and raises as :meth:`append_row`.

        Args:
            order: :attr:`order`, read before anything else that the other arguments were made of.
            kind: What :func:`kind_of` gives.
            seq: The seq of the row.
            step: The step of the row.
            now: Microseconds since 1970.
            payload: msgpack.
            after: Where the writer is in its rows from now on.
        """
        next_row, counter, open_step, open_row = after
        position = self._position
        body = _pack(kind, order, seq, step, now) + payload
        start = position + _PREFIX
        end = start + len(body)
        if end > self._limit:
            return self._without_room(len(payload), counter)
        crc = _crc32(body)
        word = position >> 2
        # No calls from here to the last assignment, as in append_row().
        if self.order != order:
            return -1
        self._bytes[start:end] = body
        self._words[word + 1] = crc
        self._words[word] = end - position
        self._position = end + 7 & -8
        self.order = order + 1
        self.next_row = next_row
        self.counter = counter
        self.open_step = open_step
        self.open_row = open_row
        return position

    def append_whole_row(self, stream: StreamCode, step: int, now: int, payload: bytes) -> bool:
        """Append a row that nothing will join; return False if it was dropped.

        Raises:
            ForkedError: As :meth:`append_row`.
            ClosedError: As :meth:`append_row`.
            DiskFullError: As :meth:`append_row`.
        """
        kind = kind_of(TopicCode.LOG, WHOLE, stream)
        with Claim(self):
            position = -1
            while position < 0:
                order, seq = self.order, self.next_row
                after = RowState(seq + 1, step + 1, None, seq)
                position = self.append_part(order, kind, seq, step, now, payload, after)
        return position > 0

    def append_branch(self, run_id: str | None, step: int) -> bool:
        """Append that the rows go on from those of a run up to a step; return False if it was dropped.

        Args:
            run_id: The run, of the same project; None: the writer's own.
            step: The last step that counts.

        Raises:
            ForkedError: As :meth:`append_row`.
            ClosedError: As :meth:`append_row`.
            DiskFullError: As :meth:`append_row`.
        """
        kind = kind_of(TopicCode.LOG, WHOLE | Flag.BRANCH, StreamCode.HISTORY)
        payload = msgspec.msgpack.encode({"run_id": run_id})
        with Claim(self):
            position = -1
            while position < 0:
                order, (seq, counter, open_step, open_row) = self.order, self.rows
                after = RowState(seq + 1, counter, open_step, open_row)
                position = self.append_part(order, kind, seq, step, time.time_ns() // 1000, payload, after)
        return position > 0

    def append(self, topic: TopicCode, value: Any, flags: Flag = WHOLE) -> bool:
        """Append a record that is no row; return False if it was dropped. Raises what :meth:`append_row` does."""
        payload = msgspec.msgpack.encode(value)
        kind = kind_of(topic, flags)
        with Claim(self):
            while True:
                order, seq = self.order, self.counts[topic]
                if self._position + HEADER_SIZE + len(payload) > self._limit:
                    if not self._has_room(topic, len(payload)):
                        return False
                elif self._append(order, kind, seq, payload):
                    self.counts[topic] = seq + 1
                    return True

    def append_last(self, value: Any, *, within_s: float = 5.0) -> bool:
        """Append the exit, out of the room that was kept for it, and close; False if that could not be done.

        Args:
            value: The payload.
            within_s: Longest wait for a thread that is in the middle of an append, and may itself wait for room.
        """
        try:
            with Claim(self, within_s):
                if self.closed:
                    return False
                self._limit = self.segment.size
                try:
                    self._mark_dropped()
                    return self.append(TopicCode.EXIT, value)
                finally:
                    self.close()
        except (DiskFullError, TimeoutError):
            return False

    def read(self, position: int) -> tuple[int, bytes]:
        """Return step and payload of the record at a position of the current segment."""
        length, *_, step, _ = RECORD_HEADER.unpack(self._bytes[position : position + HEADER_SIZE])
        return step, self._bytes[position + HEADER_SIZE : position + length]

    def close(self) -> None:
        """Let go of the segment; every later append is refused."""
        if not self.closed:
            self.closed = True
            self._limit = 0
            self.rotated()
            self.segment.close()

    def _segment(self, number: int, size: int) -> Segment:
        return Segment(self._folder, number, size, self.order, self._writer, mapped=self._mapped)

    def _append(self, order: int, kind: int, seq: int, payload: bytes) -> bool:
        """Append a record for which there is room; False if another append came in between."""
        position = self._position
        body = _pack(kind, order, seq, 0, time.time_ns() // 1000) + payload
        start = position + _PREFIX
        end = start + len(body)
        crc = _crc32(body)
        word = position >> 2
        if self.order != order:
            return False
        self._bytes[start:end] = body
        self._words[word + 1] = crc
        self._words[word] = end - position
        self._position = end + 7 & -8
        self.order = order + 1
        return True

    def _without_room(self, length: int, counter: int) -> int:
        """Make room for an append to the log, or drop it, which closes the open row; return -1 or 0."""
        if self._has_room(TopicCode.LOG, length):
            return -1
        self.counter, self.open_step = counter, None
        return 0

    def _has_room(self, topic: int, length: int) -> bool:
        """Make room for a record, or count it as dropped and return False.

        Raises:
            ForkedError: The process is a fork.
            ClosedError: The last record is appended already.
            DiskFullError: There is no room, and the policy is to raise.
        """
        if self.forked:
            raise ForkedError
        if self.closed:
            raise ClosedError
        while True:
            problem = "no space left"
            if self._policy is DiskPolicy.RAISE or time.monotonic() >= self._retry_at:
                try:
                    self._make_room(HEADER_SIZE + length)
                except OSError as error:
                    self._retry_at = time.monotonic() + RETRY_S
                    problem = error.strerror or str(error)
                else:
                    return True
            if self._policy is DiskPolicy.RAISE:
                raise DiskFullError(f"{self._folder}: {problem}; nothing of this call was recorded")
            if self._policy is DiskPolicy.DROP:
                self._drop(topic, problem)
                return False
            self._report(f"{self._folder}: {problem}; waiting for room (disk='block')")
            time.sleep(RETRY_S)

    def _make_room(self, size: int) -> None:
        """Open a segment that has room for a record, and write the markers that are due.

        A signal handler may append in between: then it opens one, and this one is discarded, or it takes this one into
        use itself.

        Raises:
            OSError: There is no room.
        """
        if self._next is None:
            current = self.segment
            segment = self._prepared(size)
            if self._next is not None or self.segment is not current:
                segment.discard()
                return
            self._next = segment
        self._turn()
        self._mark_dropped()

    def _prepared(self, size: int) -> Segment:
        frame = SEGMENT_HEADER.size + RESERVE + ALIGNMENT
        wanted = max(self._next_size, -(-(size + frame) // 4096) * 4096)
        number = self.segment.number + 1
        try:
            segment = self._segment(number, wanted)
        except OSError:
            least = max(LAST_RESORT, -(-(size + frame) // 4096) * 4096)
            if least >= wanted:
                raise
            segment = self._segment(number, least)
        self._next_size = max(self._next_size, min(self._next_size * 2, self._largest))
        return segment

    def _turn(self) -> None:
        """Publish the next segment and take it into use."""
        segment, before = self._next, self.segment
        if segment is None:
            return
        self.rotated()
        segment.publish()
        # No calls from here to the last assignment, as in append_row().
        if self._next is segment:
            self._next = None
            self.segment = segment
            self._bytes = segment.bytes
            self._words = segment.words
            self._position = FIRST
            self._limit = segment.size - RESERVE
            before.close()

    def _drop(self, topic: int, problem: str) -> None:
        is_row = topic == TopicCode.LOG
        seq = self.next_row if is_row else self.counts[topic]
        first, number = self._waiting.get(topic, (seq, 0))
        self._waiting[topic] = (first, number + 1)
        if is_row:
            self.next_row += 1
        else:
            self.counts[topic] += 1
        self.dropped += 1
        # Every further append comes by here, so that the marker is written before it.
        self._limit = 0
        self._report(f"{self._folder}: {problem}; what is logged now is dropped and counted (disk='drop')")

    def _mark_dropped(self) -> None:
        """Write the markers that are due, for which there is room."""
        while self._waiting:
            topic, (first, number) = next(iter(self._waiting.items()))
            stream = StreamCode.HISTORY if topic == TopicCode.LOG else StreamCode.NONE
            payload = msgspec.msgpack.encode({"dropped": number, "reason": "the disk was full"})
            if self._append(self.order, kind_of(TopicCode(topic), WHOLE | Flag.DROPPED, stream), first, payload):
                self._waiting.pop(topic, None)


def _after_fork(reference: weakref.ref[SpoolWriter]) -> None:
    """Stop a forked child from appending, which is its parent's right; the thread that had a claim is not there."""
    if (writer := reference()) is not None and writer.forked:
        writer._limit = 0  # noqa: SLF001 - of this module
        writer.claimed_by = 0


_pack = _TAIL.pack
_crc32 = zlib.crc32
