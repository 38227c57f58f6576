"""Records that wait for an upload before they are sent.

A record of a gated topic is sent only after its gate is open: the bytes that it names must be stored first. Later
records of the same writer and topic wait with it, so that their order is kept; other topics continue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from runstream.assembly.block import Block
from runstream.shipper.ledger.ledger import WriterAccount
from runstream.spool.format import TopicCode
from runstream_schemas.topics import Topic


@dataclass(frozen=True, slots=True)
class GatedRecord:
    """A record whose upload may not be done."""

    writer: bytes
    topic: Topic
    seq: int
    #: The record as it was appended.
    payload: Any


class UploadGate(Protocol):
    """Decides which records have to wait, and until when."""

    @property
    def topics(self) -> Collection[Topic]:
        """The topics whose records may wait: file, artifact or alert, whose events have one record each."""
        ...

    def ready(self, record: GatedRecord) -> bool:
        """Whether the upload of a record is done.

        Called for every waiting record, many times a second, on the shipper's event loop: it must not block. An error
        raised here ends the shipper, and the guardian starts another one.
        """
        ...


class UploadQueue:
    """The records of one writer that wait for their uploads; without a gate, none waits.

    The account lists uploads that are done.
    """

    def __init__(self, gate: UploadGate | None, writer: bytes, account: WriterAccount) -> None:
        self._gate = gate
        self._writer = writer
        self._account = account
        self._codes = {TopicCode[topic.name] for topic in gate.topics} if gate is not None else set()
        self._waiting: dict[int, deque[Block]] = {}
        #: Payload bytes that wait.
        self.size = 0

    def admit(self, blocks: list[Block]) -> list[Block]:
        """Queue the blocks of gated topics, and return the others."""
        if not self._codes:
            return blocks
        admitted = []
        for block in blocks:
            if block.topic in self._codes:
                self._waiting.setdefault(block.topic, deque()).append(block)
                self.size += block.size
            else:
                admitted.append(block)
        return admitted

    def release(self) -> Iterator[Block]:
        """Yield, in order, the blocks that no longer have to wait."""
        for blocks in self._waiting.values():
            for block in blocks:
                self._check(block)
            while blocks and self._is_done(blocks[0]):
                block = blocks.popleft()
                self.size -= block.size
                yield block

    def __bool__(self) -> bool:
        return any(self._waiting.values())

    def _check(self, block: Block) -> None:
        if self._gate is not None and not self._is_done(block):
            record = GatedRecord(self._writer, Topic[TopicCode(block.topic).name], block.seq, block.values[0])
            if self._gate.ready(record):
                self._account.uploads.setdefault(block.topic, set()).add(block.seq)

    def _is_done(self, block: Block) -> bool:
        return bool(block.reason) or block.seq in self._account.uploads.get(block.topic, ())
