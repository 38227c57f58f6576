"""Spools built from the documented format only, without the project's writer."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.spool.format import Flag, StreamCode, TopicCode

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Flag.OPENS | Flag.CLOSES


def record_bytes(
    payload: bytes,
    *,
    order: int,
    seq: int,
    topic: int = TopicCode.LOG,
    flags: int = WHOLE,
    stream: int = StreamCode.HISTORY,
    step: int = 0,
    time: int = 0,
) -> bytes:
    """Return the bytes of one record, padded."""
    covered = struct.pack("<BBBxIQQqq", topic, flags, stream, 0, order, seq, step, time) + payload
    record = struct.pack("<II", 8 + len(covered), zlib.crc32(covered)) + covered
    return record + bytes(-len(record) % 8)


def segment_header(number: int, size: int, first_order: int, writer: bytes = bytes(16)) -> bytes:
    """Return the header of a segment."""
    return struct.pack("<8sIIQQ16s16x", b"RSSPOOL\x01", number, 0, size, first_order, writer)


@dataclass
class SpoolBuilder:
    """Appends records to segments in memory, numbering them as a writer does."""

    writer: bytes = bytes(16)
    records: list[bytes] = field(default_factory=list)
    order: int = 0
    seqs: dict[int, int] = field(default_factory=dict)
    #: The seq of the row that was opened last, not counting late rows.
    row: int = 0

    def append(
        self,
        value: Any,
        *,
        topic: TopicCode = TopicCode.LOG,
        flags: int = WHOLE,
        stream: StreamCode = StreamCode.HISTORY,
        step: int | None = None,
        time: int | None = None,
    ) -> None:
        """Append a value as the writer would."""
        joins = topic is TopicCode.LOG and not flags & Flag.OPENS and not flags & Flag.DROPPED
        taken = value["dropped"] if flags & Flag.DROPPED else 0 if joins else 1
        seq = self.row if joins else self.seqs.get(topic, 0)
        self.records.append(
            record_bytes(
                msgspec.msgpack.encode(value),
                order=self.order,
                seq=seq,
                topic=topic,
                flags=flags,
                stream=stream if topic is TopicCode.LOG else StreamCode.NONE,
                step=self.order if step is None else step,
                time=1_000_000 + self.order if time is None else time,
            )
        )
        if not joins:
            self.seqs[topic] = seq + taken
        if topic is TopicCode.LOG and not joins and not flags & Flag.LATE_ROW:
            self.row = seq
        self.order += 1

    def exit(self, state: str = "finished", exit_code: int = 0) -> None:
        """Append the exit of a writer."""
        self.append({"state": state, "exit_code": exit_code, "signal": 0, "reason": ""}, topic=TopicCode.EXIT, flags=0)

    def segment(self, number: int = 0, first_order: int = 0, size: int = 1 << 16) -> bytes:
        """Return all records as one segment."""
        body = segment_header(number, size, first_order, self.writer) + b"".join(self.records)
        return body.ljust(size, b"\0")

    def write(self, folder: Path, *, segments: int = 1, size: int = 1 << 16) -> None:
        """Write the records as that many segments into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        share = -(-len(self.records) // segments)
        for number in range(segments):
            part = self.records[number * share : (number + 1) * share]
            body = segment_header(number, size, number * share, self.writer) + b"".join(part)
            (folder / f"{number:08d}.seg").write_bytes(body.ljust(size, b"\0"))
