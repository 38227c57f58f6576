"""Records that wait for an upload before they are sent.

A record of a gated topic is sent only after its upload has ended: the bytes that it names must be stored first. Later
records of the same writer and topic wait with it, so that their order is kept; other topics continue.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from runstream.assembly.block import Block
from runstream.spool.format import TopicCode
from runstream_schemas.topics import Topic

#: Memory of a waiting record, roughly: bytes, and as many for each byte of its payload.
_OVERHEAD, _EXPANSION = 2500, 4


@dataclass(frozen=True, slots=True)
class GatedRecord:
    """A record that must be uploaded."""

    writer: bytes
    topic: Topic
    seq: int
    #: The record as it was appended.
    payload: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an upload ended."""

    #: What the event has besides the fields of the record.
    fields: Mapping[str, Any] = field(default_factory=dict)
    #: Why the record is lost; empty if it is not.
    lost: str = ""
    #: Files, relative to the run folder, that are not needed once the event is acknowledged.
    staged: Collection[str] = ()
    #: Until when, by the monotonic clock, what was uploaded is kept although no event refers to it.
    kept_until: float = math.inf


class UploadGate(Protocol):
    """Uploads what records of some topics name."""

    #: Bytes of the records that wait, over all writers.
    load: int

    @property
    def topics(self) -> Collection[Topic]:
        """The topics whose records wait: file, artifact or alert, whose events have one record each."""
        ...

    @property
    def full(self) -> bool:
        """Whether so many records wait that no more are read."""
        ...

    def submit(self, record: GatedRecord, finish: Callable[[Outcome], None]) -> None:
        """Upload what a record names, and then call ``finish``, on the event loop; must not block it."""
        ...


class UploadQueue:
    """The records of one writer that wait for their uploads; without a gate, none waits."""

    def __init__(self, gate: UploadGate | None, writer: bytes) -> None:
        self._gate = gate
        self._writer = writer
        self._codes = {int(TopicCode[topic.name]) for topic in gate.topics} if gate is not None else set()
        self._waiting: dict[int, deque[Block]] = {}
        #: By topic and seq, the uploads that were begun and whose records are not acknowledged; None until they end.
        self._uploads: dict[tuple[int, int], Outcome | None] = {}
        self._size = 0

    def restart(self, *, keep: bool) -> None:
        """Forget what waits: it is read again; ``keep`` the uploads, unless they are for another cluster."""
        self._waiting.clear()
        if not keep:
            self._uploads = {}
        self._resize(-self._size)

    @property
    def full(self) -> bool:
        """Whether so many records wait that no more are read."""
        return self._gate is not None and self._gate.full

    def admit(self, blocks: list[Block]) -> list[Block]:
        """Queue the blocks of gated topics, begin their uploads, and return the others."""
        if not self._codes:
            return blocks
        admitted = []
        for block in blocks:
            if block.topic in self._codes:
                self._waiting.setdefault(block.topic, deque()).append(block)
                self._resize(_load(block))
                self._submit(block)
            else:
                admitted.append(block)
        return admitted

    def release(self) -> Iterator[Block]:
        """Yield, in order, the blocks that no longer have to wait."""
        now = time.monotonic()
        for topic, blocks in self._waiting.items():
            while blocks:
                block, outcome = blocks[0], self._uploads.get((topic, blocks[0].seq))
                if outcome is not None and outcome.kept_until < now:
                    del self._uploads[topic, block.seq]
                    self._submit(block)
                    break
                if not block.reason and outcome is None:
                    break
                blocks.popleft()
                self._resize(-_load(block))
                yield _ended(block, outcome)

    def acknowledge(self, topic: int, first: int, stop: int) -> Iterator[str]:
        """Forget the uploads of records that are acknowledged; yield the files that are not needed any more."""
        for seq in range(first, stop) if topic in self._codes else ():
            if (outcome := self._uploads.pop((topic, seq), None)) is not None:
                yield from outcome.staged

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _submit(self, block: Block) -> None:
        key = block.topic, block.seq
        if self._gate is None or block.reason or key in self._uploads:
            return
        self._uploads[key] = None
        record = GatedRecord(self._writer, Topic[TopicCode(block.topic).name], block.seq, block.values[0])
        self._gate.submit(record, partial(_finish, self._uploads, key))

    def _resize(self, change: int) -> None:
        self._size += change
        if self._gate is not None:
            self._gate.load += change


def _load(block: Block) -> int:
    return _EXPANSION * block.size + _OVERHEAD


def _finish(uploads: dict[tuple[int, int], Outcome | None], key: tuple[int, int], outcome: Outcome) -> None:
    """Note an outcome, unless its record is acknowledged already."""
    if key in uploads:
        uploads[key] = outcome


def _ended(block: Block, outcome: Outcome | None) -> Block:
    """Return a block with the outcome of its upload: its event, or a marker with the reason."""
    if outcome is None:
        return block
    if outcome.lost:
        block.reason = outcome.lost.encode(errors="backslashreplace").decode()  # it may quote a name that is not UTF-8
    block.extra = outcome.fields
    return block
