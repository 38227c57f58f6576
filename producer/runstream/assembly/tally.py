"""Counting what a writer that ended has left in its spool, before it is delivered.

Counts like the assembler, but by the record headers alone: the exit of a run must not wait until gigabytes of payload
are decoded and joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runstream.assembly.assembler import Assembler
from runstream.spool.format import Flag, TopicCode
from runstream.spool.reader import Position, SpoolRecord, read_spool


@dataclass(slots=True)
class Tally:
    """The contents of a spool: records of each topic, the next order, and the exit if there is one."""

    counts: dict[int, int] = field(default_factory=dict)
    next_order: int | None = None
    last_time: int = 0
    exit: SpoolRecord | None = None

    def add(self, records: Iterable[SpoolRecord]) -> None:
        """Count records, in the order of their appends."""
        for record in records:
            lost = 0 if self.next_order is None else record.order - self.next_order
            self.next_order, self.last_time = record.order + 1, record.time
            topic = record.topic
            if topic == TopicCode.EXIT:
                self.counts[TopicCode.LOG] = self.counts.get(TopicCode.LOG, 0) + lost
                self.exit = record
                return
            used = Assembler.dropped(record)[0] if record.flags & Flag.DROPPED else 1
            self.counts[topic] = max(self.counts.get(topic, 0), record.seq + used)


def tally(folder: Path, position: Position | None, counts: Mapping[int, int], next_order: int | None) -> Tally:
    """Return the contents of a writer's spool from a position on, added to the counts before it."""
    result = Tally(dict(counts), next_order)
    result.add(read_spool(folder, position, next_order))
    return result
