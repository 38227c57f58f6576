"""Appending to the spool: the one thing that ``log()`` waits for."""

from __future__ import annotations

import os
import struct
import threading
import time
import weakref
import zlib
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import DiskFullError
from runstream.spool.fork_guard import ForkGuard
from runstream.spool.format import ALIGNMENT, RECORD_HEADER, SEGMENT_HEADER, Flag, StreamCode, TopicCode
from runstream.spool.segment import Segment, Words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER_SIZE = RECORD_HEADER.size
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


class SpoolWriter:
    """Appends the records of one writer. Safe with threads, signals and forks.

    An append is in the spool, and survives the death of the process, when the call returns. It takes effect in
    statements between which CPython neither handles signals nor switches threads, because none of them calls anything:
    an exception thrown by a signal handler leaves either the whole record or nothing. A signal handler that itself
    appends goes first; the append that it interrupted then starts again.

    Args:
        folder: The writer's folder, which exists.
        writer: Id of the writer.
        policy: What to do when the disk is full.
        report: Called with one sentence when something had to be dropped or waited for.
        smallest: Size of the first segment; each further one is twice as large, up to 4 MiB.

    Raises:
        OSError: The first segment cannot be made.
    """

    __slots__ = (
        "__weakref__",
        "_folder",
        "_guard",
        "_limit",
        "_next_size",
        "_order",
        "_policy",
        "_position",
        "_report",
        "_retry_at",
        "_smallest",
        "_waiting",
        "_words",
        "_writer",
        "bytes",
        "closed",
        "counts",
        "dropped",
        "lock",
        "pid",
        "rotated",
        "rows",
        "segment",
    )

    def __init__(
        self,
        folder: Path,
        writer: bytes,
        *,
        policy: DiskPolicy = DiskPolicy.DROP,
        report: Callable[[str], None] = lambda _: None,
        smallest: int = SMALLEST_SEGMENT,
    ) -> None:
        self._folder = folder
        self._writer = writer
        self._policy = policy
        self._report = report
        self._smallest = self._next_size = smallest
        self._order = 0
        self._position = 0
        self._words: Words
        self._retry_at = 0.0
        #: Dropped and not yet marked, by topic: first seq and how many.
        self._waiting: dict[int, tuple[int, int]] = {}
        #: Held by whoever appends; reentrant, since a signal handler may append.
        self.lock = threading.RLock()
        self.pid = os.getpid()
        #: Whether the last record is appended.
        self.closed = False
        #: Records of each topic so far (rows, for the log), by topic code.
        self.counts = [0] * (max(TopicCode) + 1)
        #: Records dropped in all.
        self.dropped = 0
        #: What the caller last passed as ``after``: belongs to the log alone.
        self.rows: tuple[int, int | None] = (0, None)
        #: Called before the segment changes, while its bytes can still be read.
        self.rotated: Callable[[], None] = lambda: None
        self._guard = ForkGuard()
        self._limit = self._guard.word
        self._use(Segment(folder, 0, smallest, 0, writer))
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _renew_lock(this))

    @property
    def order(self) -> int:
        """The order of the next append."""
        return self._order

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process that made the writer."""
        return os.getpid() != self.pid

    def append(
        self, kind: int, step: int, now: int, payload: bytes, after: tuple[int, int | None] | None = None
    ) -> int:
        """Append a record; return where in the segment it lies, or 0 if it was dropped.

        Hold :attr:`lock` while calling.

        Args:
            kind: What :func:`kind_of` gives.
            step: Step of the row.
            now: Microseconds since 1970.
            payload: msgpack.
            after: Becomes :attr:`rows` together with the append.

        Raises:
            ForkedError: The process is a fork of the one that made this writer.
            ClosedError: The last record is appended already.
            DiskFullError: There is no room, and the policy is to raise.
        """
        counts = self.counts
        while True:
            order, position = self._order, self._position
            topic = kind & 255
            seq = counts[topic] if kind & _OPENS else counts[topic] - 1
            body = _pack(kind, order, seq, step, now) + payload
            end: int = position + _PREFIX + len(body)
            if end > self._limit[0]:
                return self._append_without_room(kind, step, now, payload, after)
            crc = _crc32(body)
            word = position >> 2
            start = position + _PREFIX
            # From the comparison to the last assignment: no calls, so nothing comes in between (see the class).
            if self._order == order:
                self.bytes[start:end] = body
                self._words[word + 1] = crc
                self._words[word] = end - position
                self._position = end + 7 & -8
                self._order = order + 1
                counts[topic] = seq + 1
                if after is not None:
                    self.rows = after
                return position

    def append_object(self, topic: TopicCode, value: Any, *, flags: Flag = WHOLE, step: int = 0) -> int:
        """Append a record that is no row, encoded here; return as :meth:`append` does."""
        payload = msgspec.msgpack.encode(value)
        with self.lock:
            return self.append(kind_of(topic, flags), step, time.time_ns() // 1000, payload)

    def append_last(self, value: Any) -> bool:
        """Append the exit, out of the room that was kept for it, and close; False if not even that was there."""
        payload = msgspec.msgpack.encode(value)
        with self.lock:
            self._limit[0] = self.segment.size
            try:
                self._mark_dropped()
                written = self.append(kind_of(TopicCode.EXIT, WHOLE), 0, time.time_ns() // 1000, payload)
            except DiskFullError:
                written = 0
            self.close()
        return written > 0

    def read(self, position: int) -> bytes:
        """Return the payload of the record at a position of the current segment."""
        length = int.from_bytes(self.bytes[position : position + 4], "little")
        return self.bytes[position + HEADER_SIZE : position + length]

    def close(self) -> None:
        """Let go of the segment; every later append finds no room."""
        if not self.closed:
            self.closed = True
            self._limit[0] = 0
            self.rotated()
            self.segment.close()

    def _use(self, segment: Segment) -> None:
        self.segment = segment
        self.bytes = segment.bytes
        self._words = segment.words
        self._position = SEGMENT_HEADER.size
        self._limit[0] = segment.size - RESERVE

    def _append_without_room(
        self, kind: int, step: int, now: int, payload: bytes, after: tuple[int, int | None] | None
    ) -> int:
        if self.forked:
            raise ForkedError
        if self.closed:
            raise ClosedError
        size = HEADER_SIZE + len(payload)
        while True:
            if time.monotonic() >= self._retry_at:
                try:
                    self._make_room(size)
                except OSError as error:
                    self._retry_at = time.monotonic() + RETRY_S
                    problem = error.strerror or str(error)
                else:
                    return self.append(kind, step, now, payload, after)
            else:
                problem = "no space left"
            if self._policy is DiskPolicy.RAISE:
                raise DiskFullError(f"{self._folder}: {problem}; nothing of this call was recorded")
            if self._policy is DiskPolicy.DROP:
                self._drop(kind & 255, after, problem)
                return 0
            self._report(f"{self._folder}: {problem}; waiting for room (disk='block')")
            time.sleep(RETRY_S)

    def _make_room(self, size: int) -> None:
        """Open a segment that has room for a record, and write the markers that are due.

        Raises:
            OSError: There is none.
        """
        frame = SEGMENT_HEADER.size + RESERVE + ALIGNMENT
        wanted = max(self._next_size, -(-(size + frame) // 4096) * 4096)
        number = self.segment.number + 1
        try:
            segment = Segment(self._folder, number, wanted, self._order, self._writer)
        except OSError:
            least = max(LAST_RESORT, -(-(size + frame) // 4096) * 4096)
            if least >= wanted:
                raise
            segment = Segment(self._folder, number, least, self._order, self._writer)
        self._next_size = min(max(self._next_size, self._smallest) * 2, max(LARGEST_SEGMENT, self._smallest))
        self.rotated()
        self.segment.close()
        self._use(segment)
        self._limit[0] = segment.size
        self._mark_dropped()
        self._limit[0] = segment.size - RESERVE

    def _drop(self, topic: int, after: tuple[int, int | None] | None, problem: str) -> None:
        first, number = self._waiting.get(topic, (self.counts[topic], 0))
        self._waiting[topic] = (first, number + 1)
        self.counts[topic] += 1
        self.dropped += 1
        # Every further append comes by here, so that the marker is written before it.
        self._limit[0] = 0
        if after is not None:
            self.rows = (after[0], None)
        self._report(f"{self._folder}: {problem}; what is logged now is dropped and counted (disk='drop')")

    def _mark_dropped(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for topic, (first, number) in waiting.items():
            total = self.counts[topic]
            self.counts[topic] = first
            stream = StreamCode.HISTORY if topic == TopicCode.LOG else StreamCode.NONE
            payload = msgspec.msgpack.encode({"dropped": number, "reason": "the disk was full"})
            kind = kind_of(TopicCode(topic), WHOLE | Flag.DROPPED, stream)
            self.append(kind, 0, time.time_ns() // 1000, payload)
            self.counts[topic] = total


def _renew_lock(reference: weakref.ref[SpoolWriter]) -> None:
    """Replace the lock in a forked child: the thread that may have held it does not exist there."""
    if (writer := reference()) is not None:
        writer.lock = threading.RLock()


_OPENS = int(Flag.OPENS) << 8
_pack = _TAIL.pack
_crc32 = zlib.crc32
