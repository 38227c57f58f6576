"""Counting what a writer that ended has left in its spool, before it is delivered.

Counts like the assembler, but by the record headers alone: the exit of a run must not wait until gigabytes of payload
are decoded and joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runstream.assembly.assembler import Assembler
from runstream.spool.format import Flag, TopicCode
from runstream.spool.reader import Position, SpoolRecord, read_spool


@dataclass(slots=True)
class Tally:
    """The contents of a spool: records of each topic, the next order, and the exit if there is one."""

    counts: dict[int, int]
    next_order: int | None
    last_time: int = 0
    exit: SpoolRecord | None = None


def tally(folder: Path, position: Position | None, counts: Mapping[int, int], next_order: int | None) -> Tally:
    """Return the contents of a writer's spool from a position on, added to the counts before it."""
    result = Tally(dict(counts), next_order)
    counted = result.counts
    for record in read_spool(folder, position, next_order):
        lost = 0 if result.next_order is None else record.order - result.next_order
        result.next_order, result.last_time = record.order + 1, record.time
        if record.topic == TopicCode.EXIT:
            counted[TopicCode.LOG] = counted.get(TopicCode.LOG, 0) + lost
            result.exit = record
            break
        used = Assembler.dropped(record)[0] if record.flags & Flag.DROPPED else 1
        counted[record.topic] = max(counted.get(record.topic, 0), record.seq + used)
    return result
