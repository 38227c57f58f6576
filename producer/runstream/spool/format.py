"""Binary layout of spool segments and records; see docs/spool.md.

A segment is a file ``NNNNNNNN.seg`` in the writer's folder: a 64-byte header followed by records. A record is a 48-byte
header and a msgpack payload, padded with zeros to a multiple of 8. The first word of a record, its length, is stored
last: 0 means that the record has not been written yet. The CRC covers the bytes after it up to the end of the payload.
A writer creates segment N + 1 only after its last append to segment N.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

SEGMENT_MAGIC = b"RSSPOOL\x01"
#: Fields: magic, segment number, reserved, file size in bytes, order of the first record, writer id.
SEGMENT_HEADER = struct.Struct("<8sIIQQ16s16x")
#: Fields: length (header and payload), CRC-32, topic, flags, stream, zeros, zeros, order, seq, step, time (µs).
RECORD_HEADER = struct.Struct("<IIBBBxIQQqq")
#: Offset of the first byte of a record that the CRC covers.
CRC_START = 8
#: The record header after length and CRC, with topic, flags and stream as one integer; see :func:`kind_of`.
RECORD_TAIL = struct.Struct("<QQQqq")
ALIGNMENT = 8


class TopicCode(IntEnum):
    """Topic of a record."""

    LOG = 1
    CONFIG = 2
    SUMMARY = 3
    FILE = 4
    ARTIFACT = 5
    EXIT = 6
    ALERT = 7


class StreamCode(IntEnum):
    """Stream of a log record; NONE for records of other topics."""

    NONE = 0
    HISTORY = 1
    SYSTEM = 2
    CONSOLE = 3


class Flag(IntFlag):
    """Flags of a record: its effect on the open row, and the kind of marker."""

    #: The record opens a row and uses the next ``seq``. Without this flag, it joins the open row under its ``seq``.
    OPENS = 1
    #: The row ends with this record.
    CLOSES = 2
    #: A marker for dropped records: {"dropped": n, "reason": text}; it uses ``n`` numbers of its topic from ``seq``.
    DROPPED = 4
    #: A complete row at an earlier step than the open row, which stays open.
    LATE_ROW = 8
    #: A branch marker: {"run_id": id, or None for the run itself}. The rows of the writer continue those of that run up
    #: to the step of the record. It uses a ``seq`` but is not a row.
    BRANCH = 16
    #: Set by writers that did not know the run's last step: the program specified this step. This step and later ones
    #: are final; earlier ones are relative to the run's last step at delivery.
    EXPLICIT_STEP = 32


#: Flags of a record that is a complete row.
WHOLE = Flag.OPENS | Flag.CLOSES


def kind_of(topic: TopicCode, flags: Flag, stream: StreamCode = StreamCode.NONE) -> int:
    """Return topic, flags and stream as one integer, as packed in the record header."""
    return topic | flags << 8 | stream << 16
