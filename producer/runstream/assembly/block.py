"""Blocks: consecutive records of one topic of one writer, ready to become an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runstream.spool.reader import Position


@dataclass(slots=True)
class Block:
    """Records ``seq`` to ``stop`` (exclusive) of one topic, or, if ``reason`` is set, a marker that they are missing.

    ``values`` has one entry per record: a row, the entries of a change, the fields of any other record.
    """

    topic: int
    stream: int
    seq: int
    #: Position in the spool of the first append of the first record.
    start: Position
    orders: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    #: Bytes of the payloads, from which the size of the event is estimated.
    size: int = 0
    #: The largest of the payloads.
    largest: int = 0
    #: Why the records are missing; empty if they are not.
    reason: str = ""
    #: How many records are missing.
    missing: int = 0
    #: The record is a branch: the run inherits the rows of a run up to its step, see :data:`Flag.BRANCH`.
    is_branch: bool = False
    #: What its event has besides the fields of its record: what an upload added.
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of records."""
        return self.missing or len(self.values)

    @property
    def stop(self) -> int:
        """The ``seq`` after the last record."""
        return self.seq + self.count
