"""Reading a writer's segments while they are being written, and after whatever happened to them.

:func:`parse` and :func:`resynchronise` are pure: bytes in, records out. :class:`SpoolReader` adds the files. It yields
records in the order of their appends, never a damaged one; what is missing between two records shows as a gap in their
``order``. Segments are read with ``pread``, so that a file cut short under the reader is an early end and no signal.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from runstream.spool.format import ALIGNMENT, CRC_START, RECORD_HEADER, SEGMENT_HEADER, SEGMENT_MAGIC, Flag, StreamCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER_SIZE = RECORD_HEADER.size
FIRST_OFFSET = SEGMENT_HEADER.size
#: Bytes that are read at once; a longer record is read whole.
CHUNK = 256 * 1024
#: Bytes that are searched at once for the next record behind damage.
WINDOW = 8 * 1024 * 1024

_LENGTH = struct.Struct("<I")
_NOT_ZERO = re.compile(rb"[^\0]")
_LAST_STREAM = max(StreamCode)
_LAST_FLAGS = sum(Flag)
#: So many orders may be missing where nothing says how many are.
_ANY_ORDER = 2**62


class Position(NamedTuple):
    """A place in the spool of a writer: number of the segment, byte within it."""

    segment: int
    offset: int


class SpoolRecord(NamedTuple):
    """One append, as it was written; ``payload`` is msgpack."""

    topic: int
    flags: int
    stream: int
    order: int
    seq: int
    step: int
    time: int
    payload: bytes
    #: Where it lies: number of the segment, byte within it.
    segment: int
    offset: int

    @property
    def position(self) -> Position:
        """Where it lies in the spool of its writer."""
        return Position(self.segment, self.offset)


class Stop(Enum):
    """Why :func:`parse` went no further."""

    #: The length word is zero, or there are no bytes for it: nothing is written here yet.
    EMPTY = auto()
    #: The record goes on behind the end of the buffer.
    SHORT = auto()
    #: What lies here is no record.
    DAMAGED = auto()


class Parsed(NamedTuple):
    """Records of a buffer, where the next one would begin, and why there is none; ``needed`` is its length if SHORT."""

    records: list[SpoolRecord]
    offset: int
    stop: Stop
    needed: int = 0


def parse(buffer: bytes, offset: int, segment: int, base: int) -> Parsed:
    """Return the records of a buffer from ``offset`` on; the buffer begins at byte ``base`` of the segment."""
    records: list[SpoolRecord] = []
    view, end = memoryview(buffer), len(buffer)
    unpack, crc32, append, make = RECORD_HEADER.unpack_from, zlib.crc32, records.append, tuple.__new__
    while offset + HEADER_SIZE <= end:
        length, crc, topic, flags, stream, _, order, seq, step, time = unpack(buffer, offset)
        if length == 0:
            return Parsed(records, offset, Stop.EMPTY)
        stop = offset + length
        if length < HEADER_SIZE:
            return Parsed(records, offset, Stop.DAMAGED)
        if stop > end:
            return Parsed(records, offset, Stop.SHORT, length)
        if crc32(view[offset + CRC_START : stop]) != crc:
            return Parsed(records, offset, Stop.DAMAGED)
        payload = buffer[offset + HEADER_SIZE : stop]
        fields = (topic, flags, stream, order, seq, step, time, payload, segment, base + offset)
        append(make(SpoolRecord, fields))  # what SpoolRecord(*fields) does, in a third of its time
        offset = stop + (-stop % ALIGNMENT)
    if offset + _LENGTH.size <= end and _LENGTH.unpack_from(buffer, offset)[0]:
        return Parsed(records, offset, Stop.SHORT, HEADER_SIZE)
    return Parsed(records, offset, Stop.EMPTY)


def resynchronise(buffer: bytes, order: int, slack: int) -> int | None:
    """Return where in a buffer that begins with damage the next whole record begins; None if there is none.

    A candidate must begin at a multiple of 8, carry the right CRC, and have an order that the bytes passed over can
    explain, so that a string that happens to hold the bytes of a record is hardly ever mistaken for one. ``order`` is
    that of the first record that is missing; ``slack`` is how many may be missing besides those in the buffer.
    """
    view, offset = memoryview(buffer), ALIGNMENT
    while (match := _NOT_ZERO.search(buffer, offset)) is not None:
        offset = match.start() & -ALIGNMENT
        if offset + HEADER_SIZE > len(buffer):
            return None
        length, crc, _, flags, stream, reserved, found, *_ = RECORD_HEADER.unpack_from(buffer, offset)
        plausible = (
            HEADER_SIZE <= length <= len(buffer) - offset
            and flags <= _LAST_FLAGS
            and stream <= _LAST_STREAM
            and reserved == 0
            and order <= found <= order + slack + offset // HEADER_SIZE
        )
        if plausible and zlib.crc32(view[offset + CRC_START : offset + length]) == crc:
            return offset
        offset += ALIGNMENT
    return None


class SpoolReader:
    """Reads the segments of one writer in order, from a position on: the beginning of a record, or of a segment.

    ``next_order`` is the order of the next record; None accepts whatever comes first.
    """

    def __init__(self, folder: Path, position: Position | None = None, next_order: int | None = None) -> None:
        self._folder = folder
        self._segment = position.segment if position else -1
        self._offset = position.offset if position else FIRST_OFFSET
        self._descriptor = -1
        self._path_after = os.fspath(segment_path(self._folder, self._segment + 1))
        #: How many orders the damage passed over since the last record can have held, beyond the bytes in hand.
        self._slack = 0
        #: Behind the last record that was read.
        self._tail = self.position
        #: Where the segment before was left, until the first record of this one is read.
        self._before: Position | None = None
        self._gone_back_from = -1
        self.next_order = next_order
        #: Bytes passed over because they were no records.
        self.damaged_bytes = 0

    @property
    def position(self) -> Position:
        """Where the next record is read."""
        return Position(max(self._segment, 0), self._offset)

    def read(self, *, ended: bool, limit: int = CHUNK) -> list[SpoolRecord]:
        """Return the next records, about ``limit`` bytes or one that is longer; none if there are none now.

        If the writer has ended, what is not a record at the tail is cut off.
        """
        while self._open():
            # Looked for before the bytes are read: once it is there, this segment grows no more.
            segment, following = self._segment, self._following(listing=ended)
            records, exhausted = self._read_here(final=ended or following is not None, limit=limit)
            if records:
                return records
            if self._segment != segment:
                continue
            if not exhausted or following is None:
                return []
            self._turn_to(following)
        return []

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read_here(self, *, final: bool, limit: int) -> tuple[list[SpoolRecord], bool]:
        """Return records of this segment, and whether it holds no more of them."""
        while True:
            buffer = os.pread(self._descriptor, limit, self._offset)
            parsed = parse(buffer, 0, self._segment, self._offset)
            if parsed.records:
                if self._grew(parsed.records[0]):
                    return [], False
                if records := self._take(parsed):
                    return records, False
                continue
            if parsed.stop is Stop.EMPTY and not (final and len(buffer) > parsed.offset):
                return [], final
            if parsed.stop is Stop.SHORT and len(buffer) == limit and parsed.needed > limit:
                limit = min(parsed.needed, self._remaining())
                if limit >= parsed.needed:
                    continue
            if not self._skip_damage(final=final):
                return [], final

    def _grew(self, first: SpoolRecord) -> bool:
        """Go back to the segment before where the orders say that it may have grown after it was left.

        A signal handler of the writer may append to it between the moments at which this one gets its name and at which
        it is taken into use.
        """
        before, self._before = self._before, None
        if before is None or self.next_order is None or first.order <= self.next_order:
            return False
        self.close()
        self._segment, self._offset = before
        self._gone_back_from = first.position.segment
        return True

    def _take(self, parsed: Parsed) -> list[SpoolRecord]:
        """Go behind the records; those that repeat an order are left out."""
        records, expected = parsed.records, self.next_order
        self._offset += parsed.offset
        self._tail = self.position
        self._slack = 0
        first = records[0].order if expected is None else expected
        if records[-1].order - first + 1 != len(records) or records[0].order != first:
            records = list(_ascending(records, first))
        if records:
            self.next_order = records[-1].order + 1
        return records

    def _skip_damage(self, *, final: bool) -> bool:
        """Go to the next whole record of the segment, if there is one; else, in a final segment, on to its end."""
        window = os.pread(self._descriptor, WINDOW, self._offset)
        if parse(window[: 2 * CHUNK], 0, self._segment, self._offset).records:
            return True  # it was only half written when it was read before
        found = resynchronise(window, self.next_order or 0, self._slack)
        if found is None and not final:
            return False
        passed = len(window) if found is None else found
        self.damaged_bytes += len(window[:passed].rstrip(b"\0"))
        self._slack += passed // HEADER_SIZE
        self._offset += passed
        return found is not None or passed > 0

    def _remaining(self) -> int:
        return max(os.fstat(self._descriptor).st_size - self._offset, 0)

    def _open(self) -> bool:
        if self._descriptor >= 0:
            return True
        if self._segment < 0:
            first = self._following(listing=True)
            if first is None:
                return False
            self._segment = first
        try:
            self._descriptor = os.open(segment_path(self._folder, self._segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            following = self._following(listing=True)
            if following is None:
                return False
            self._turn_to(following)
            return self._open()
        self._path_after = os.fspath(segment_path(self._folder, self._segment + 1))
        self._slack += self._lost_before()
        return True

    def _lost_before(self) -> int:
        """Return how many orders are missing before this segment, by its header."""
        header = os.pread(self._descriptor, SEGMENT_HEADER.size, 0)
        if len(header) < SEGMENT_HEADER.size or not header.startswith(SEGMENT_MAGIC):
            return _ANY_ORDER
        first = int(SEGMENT_HEADER.unpack(header)[4])
        if self.next_order is None:
            return first + self._offset // HEADER_SIZE
        return max(first - self.next_order, 0)

    def _turn_to(self, segment: int) -> None:
        self.close()
        self._before = self._tail if segment != self._gone_back_from else None
        self._segment, self._offset = segment, FIRST_OFFSET
        self._path_after = os.fspath(segment_path(self._folder, segment + 1))
        self._tail = self.position

    def _following(self, *, listing: bool) -> int | None:
        if self._segment >= 0 and os.path.exists(self._path_after):  # noqa: PTH110 (asked ten times a second)
            return self._segment + 1
        if not listing:
            return None
        return min((number for number in segments(self._folder) if number > self._segment), default=None)


def read_spool(folder: Path, position: Position | None = None, next_order: int | None = None) -> Iterator[SpoolRecord]:
    """Yield all records of a writer that writes no more, from a position on."""
    reader = SpoolReader(folder, position, next_order)
    try:
        while records := reader.read(ended=True, limit=4 * CHUNK):
            yield from records
    finally:
        reader.close()


def segment_path(folder: Path, segment: int) -> Path:
    """Return the path of a segment of a writer's folder."""
    return folder / f"{segment:08d}.seg"


def segments(folder: Path) -> Iterator[int]:
    """Yield the numbers of the segments that lie in a writer's folder, in no order; none where there is no folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (names are all that is wanted)
    except FileNotFoundError:
        return
    for name in names:
        stem, _, suffix = name.partition(".")
        if suffix == "seg" and stem.isdecimal():
            yield int(stem)


def _ascending(records: list[SpoolRecord], order: int) -> Iterator[SpoolRecord]:
    for record in records:
        if record.order >= order:
            yield record
            order = record.order + 1
