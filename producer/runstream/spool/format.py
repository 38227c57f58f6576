"""The bytes of the spool: segment header and record header. Writer and reader share this module and nothing else.

A segment is a file ``NNNNNNNN.seg`` in the writer's folder: a header of 64 bytes, then records. A record is a header of
48 bytes and a msgpack payload, padded with zeros so that the next one begins at a multiple of 8. The first word of a
record, its length, is stored last: 0 means that nothing has been written here yet. The CRC covers everything behind it
up to the end of the payload. A writer opens segment N + 1 only when it will write no more to N.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

SEGMENT_MAGIC = b"RSSPOOL\x01"
#: magic, segment number, reserved, size of the file in bytes, order of the first record, writer id.
SEGMENT_HEADER = struct.Struct("<8sIIQQ16s16x")
#: length (header and payload), crc32, topic, flags, stream, -, -, order, seq, step, time in microseconds.
RECORD_HEADER = struct.Struct("<IIBBBxIQQqq")
#: The part of the record header that the CRC covers begins here.
CRC_START = 8
ALIGNMENT = 8


class TopicCode(IntEnum):
    """Topics as the spool spells them."""

    LOG = 1
    CONFIG = 2
    SUMMARY = 3
    FILE = 4
    ARTIFACT = 5
    EXIT = 6
    ALERT = 7


class StreamCode(IntEnum):
    """Streams of the log as the spool spells them; 0 for other topics."""

    NONE = 0
    HISTORY = 1
    SYSTEM = 2
    CONSOLE = 3


class Flag(IntFlag):
    """What a record does to the row that is open."""

    #: The record begins a row and takes the next ``seq``; without it the record joins the open row, under its ``seq``.
    OPENS = 1
    #: The row ends with this record.
    CLOSES = 2
    #: The payload is a side note: {"dropped": n, "reason": text}; it uses up ``n`` numbers of its topic, ``seq`` on.
    DROPPED = 4
    #: The record is a whole row beside the one that is open, which stays open: a late row, logged at an earlier step.
    LATE_ROW = 8
    #: The record is no row but uses up a ``seq``: {"run_id": id, or None for the run itself}; the step is the last one
    #: that counts of it. The rows of the writer go on from there (a fork, a rewind).
    BRANCH = 16
    #: Of a writer that did not know how far its run is: this step was said by the program. It and all later steps are
    #: as they stand; those before are counted from where the run is when it is delivered.
    EXPLICIT_STEP = 32
