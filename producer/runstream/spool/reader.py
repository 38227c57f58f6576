"""Reading a writer's segments, both while they are being written and after a crash or damage.

:func:`parse` and :func:`resynchronise` are pure functions of bytes; :class:`SpoolReader` reads the files. It returns
records in the order of their appends and never returns a damaged record. Missing records are visible as skipped numbers
in ``order``. Segments are read with ``pread``: if a file is truncated during reading, it ends early, and there is no
signal as there would be with a mapped file.
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
#: Number of bytes per read; a longer record is read as a whole.
CHUNK = 256 * 1024
#: Number of bytes that are searched at once for the next record after damage.
WINDOW = 8 * 1024 * 1024

_LENGTH = struct.Struct("<I")
_NOT_ZERO = re.compile(rb"[^\0]")
_LAST_STREAM = max(StreamCode)
_LAST_FLAGS = sum(Flag)
#: Limit of missing orders if their number is unknown.
_ANY_ORDER = 2**62


class Position(NamedTuple):
    """A position in the spool of a writer: segment number and byte offset in the segment."""

    segment: int
    offset: int


class SpoolRecord(NamedTuple):
    """One append, with the fields that the writer stored; ``payload`` is msgpack."""

    topic: int
    flags: int
    stream: int
    order: int
    seq: int
    step: int
    time: int
    payload: bytes
    #: Segment number and byte offset of the record.
    segment: int
    offset: int

    @property
    def position(self) -> Position:
        """The position of the record in the spool of its writer."""
        return Position(self.segment, self.offset)


class Stop(Enum):
    """Why :func:`parse` stopped."""

    #: The length is zero, or the buffer ends before it: no record has been written here yet.
    EMPTY = auto()
    #: The record continues after the end of the buffer.
    SHORT = auto()
    #: The bytes are not a record.
    DAMAGED = auto()


class Parsed(NamedTuple):
    """Records of a buffer, the offset after them, and why parsing stopped; ``needed`` is the next length if SHORT."""

    records: list[SpoolRecord]
    offset: int
    stop: Stop
    needed: int = 0


def parse(buffer: bytes, offset: int, segment: int, base: int) -> Parsed:
    """Return the records of a buffer, starting at ``offset``; the buffer begins at byte ``base`` of the segment."""
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
        append(make(SpoolRecord, fields))  # same as SpoolRecord(*fields), in a third of the time
        offset = stop + (-stop % ALIGNMENT)
    if offset + _LENGTH.size <= end and _LENGTH.unpack_from(buffer, offset)[0]:
        return Parsed(records, offset, Stop.SHORT, HEADER_SIZE)
    return Parsed(records, offset, Stop.EMPTY)


def resynchronise(buffer: bytes, order: int, slack: int) -> int | None:
    """Return the offset of the next complete record in a buffer that begins with damage, or None if there is none.

    A record must begin at a multiple of 8, have the correct CRC, and have an order that is plausible for the number of
    bytes skipped. A string that happens to contain the bytes of a record is therefore very unlikely to be accepted.
    ``order`` is that of the first missing record; ``slack`` is how many can be missing in addition to the buffer's.
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
    """Reads the segments of one writer in order, starting at a record or at the beginning of a segment.

    ``next_order`` is the order of the next record; if it is None, the first record can have any order.
    """

    def __init__(self, folder: Path, position: Position | None = None, next_order: int | None = None) -> None:
        self._folder = folder
        self._segment = position.segment if position else -1
        self._offset = position.offset if position else FIRST_OFFSET
        self._descriptor = -1
        #: How many records can have been in the bytes skipped since the last record, not counting the current buffer.
        self._slack = 0
        #: The position after the last record read.
        self._tail = self.position
        #: The tail of the previous segment, until the first record of the current segment is read.
        self._before: Position | None = None
        self._gone_back_from = -1
        self.next_order = next_order
        #: Number of bytes skipped because they were not records.
        self.damaged_bytes = 0

    @property
    def position(self) -> Position:
        """The position at which the next record is read."""
        return Position(max(self._segment, 0), self._offset)

    def read(self, *, ended: bool, limit: int = CHUNK, listing: bool = False) -> list[SpoolRecord]:
        """Return the next records: about ``limit`` bytes, or one longer record; an empty list if there are none yet.

        If the writer has ended (``ended``), bytes at the end that are not a record are skipped. ``listing`` also finds
        segments after one that was deleted.
        """
        while self._open():
            # Checked before reading: once the next segment exists, this one does not grow (exception: see _grew).
            segment, following = self._segment, self._following(listing=ended or listing)
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
        """Close the file; the next read opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read_here(self, *, final: bool, limit: int) -> tuple[list[SpoolRecord], bool]:
        """Return the next records of this segment, and whether the segment has been read completely."""
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
                limit = min(parsed.needed, max(os.fstat(self._descriptor).st_size - self._offset, 0))
                if limit >= parsed.needed:
                    continue
            if not self._skip_damage(final=final):
                return [], final

    def _grew(self, first: SpoolRecord) -> bool:
        """Go back to the previous segment if missing orders show that it may have grown; return whether it did so.

        A signal handler of the writer can append to the previous segment after this segment has received its name and
        before the writer uses it.
        """
        before, self._before = self._before, None
        if before is None or self.next_order is None or first.order <= self.next_order:
            return False
        self.close()
        self._segment, self._offset = before
        self._gone_back_from = first.position.segment
        return True

    def _take(self, parsed: Parsed) -> list[SpoolRecord]:
        """Advance past the parsed records and return them, without those that repeat an order."""
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
        """Skip to the next complete record; if there is none and the segment is final, skip to its end."""
        window = os.pread(self._descriptor, WINDOW, self._offset)
        if parse(window[: 2 * CHUNK], 0, self._segment, self._offset).records:
            return True  # the record was incomplete at the previous read
        found = resynchronise(window, self.next_order or 0, self._slack)
        if found is None and not final:
            return False
        passed = len(window) if found is None else found
        self.damaged_bytes += len(window[:passed].rstrip(b"\0"))
        self._slack += passed // HEADER_SIZE
        self._offset += passed
        return found is not None or passed > 0

    def _open(self) -> bool:
        if self._descriptor >= 0:
            return True
        if self._segment < 0:
            if (first := self._following(listing=True)) is None:
                return False
            self._segment = first
        self._path_after = os.fspath(segment_path(self._folder, self._segment + 1))
        try:
            self._descriptor = os.open(segment_path(self._folder, self._segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if (following := self._following(listing=True)) is None:
                return False
            self._turn_to(following)
            return self._open()
        self._slack += self._lost_before()
        return True

    def _lost_before(self) -> int:
        """Return how many records are missing before this segment, according to its header."""
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
        self._tail = self.position

    def _following(self, *, listing: bool) -> int | None:
        if self._segment >= 0 and os.path.exists(self._path_after):  # noqa: PTH110 (called ten times a second)
            return self._segment + 1
        if not listing:
            return None
        return min((number for number in segments(self._folder) if number > self._segment), default=None)


def read_spool(folder: Path, position: Position | None = None, next_order: int | None = None) -> Iterator[SpoolRecord]:
    """Yield all records of a writer that has ended, starting at a position."""
    reader = SpoolReader(folder, position, next_order)
    try:
        while records := reader.read(ended=True, limit=4 * CHUNK):
            yield from records
    finally:
        reader.close()


def segment_path(folder: Path, segment: int) -> Path:
    """Return the path of a segment in a writer's folder."""
    return folder / f"{segment:08d}.seg"


def segments(folder: Path) -> Iterator[int]:
    """Yield the numbers of the segments in a writer's folder, unordered; nothing if the folder does not exist."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (only names are needed)
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
