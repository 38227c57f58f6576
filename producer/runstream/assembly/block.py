"""Blocks: runs of records of one topic of one writer, ready to become events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstream.spool.reader import Position


@dataclass(slots=True)
class Block:
    """Records ``seq`` to ``stop`` (exclusive) of one topic, or, where ``reason`` is set, their absence.

    ``values`` has one entry a record: a row, the entries of a change, the fields of any other record.
    """

    topic: int
    stream: int
    seq: int
    #: Where in the spool the first append of the first record lies.
    start: Position
    orders: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    #: Bytes of the payloads, by which the size of the event is guessed.
    size: int = 0
    #: The largest of the payloads.
    largest: int = 0
    #: Why the records are missing; empty for records that are here.
    reason: str = ""
    #: How many records are missing.
    missing: int = 0
    #: The one record is no row: the rows go on from a run up to its step, see :data:`Flag.BRANCH`.
    is_branch: bool = False

    @property
    def count(self) -> int:
        """Number of records."""
        return self.missing or len(self.values)

    @property
    def stop(self) -> int:
        """The ``seq`` behind the last record."""
        return self.seq + self.count
