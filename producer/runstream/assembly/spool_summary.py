"""The summary state of a writer's spool, as far as it was read; saved in a file for segments that are deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runstream.assembly.assembler import Assembler
from runstream.assembly.block import Block
from runstream.assembly.events import UNPUBLISHABLE, Envelope, create_messages, event_of, halves
from runstream.files.value_file import ValueFile
from runstream.run_folder.json_files import write_file
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.reader import FIRST_OFFSET, Position, SpoolReader, SpoolRecord, segment_path
from runstream_schemas.codec import decode
from runstream_schemas.events import Event, Writer
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.summary_algebra.state_codec import decode_state, encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath

#: The run in the summary state of a spool; which run it is does not matter there.
RUN = RunPath(entity="-", project="-", run_id="-")
SUMMARY_FILE_NAME = "fold.msgpack"
#: The partition offset of all rows of one writer: after everything that the server had before.
OFFSET = 2**62
_VERSION = 1
#: Bytes that are read and folded at once.
_READ_BYTES = 1024 * 1024
_UNLIMITED = 2**62
#: Bytes of msgpack up to which a record fits into a message in any case, even if the names of its path are long.
_SMALL = 4 * 1024
_CHANGES = frozenset([int(TopicCode.CONFIG), int(TopicCode.SUMMARY)])


class SpoolSummary:
    """Folds what one writer appended into a summary state, segment by segment. Not thread-safe.

    ``seed`` is the state of the run before the writer's first append, which is merged in.
    """

    def __init__(self, folder: Path, writer: Writer, seed: SummaryState | None = None) -> None:
        self._folder = folder
        self._envelope = Envelope(RUN, writer)
        self._seed = seed
        self.fold = SummaryState(run=RUN)
        if seed is not None:
            self.fold.merge(seed)
        self._begin(Position(0, FIRST_OFFSET), 0)

    def advance(self) -> None:
        """Fold what was appended since the last call; the state of segments deleted meanwhile comes from the file."""
        while True:
            while records := self._reader.read(ended=False, limit=_READ_BYTES):
                if records[0].order == self.next_order or not self._adopt():
                    self._add(records)
            if segment_path(self._folder, self._reader.position.segment).exists() or not self._adopt():
                self._reader.close()
                return

    def end(self) -> None:
        """Fold everything, including the open row: nothing more will be appended."""
        self.advance()
        self._assembler.close_row()
        self._fold_blocks()

    def advance_to(self, segment: int) -> None:
        """Fold the segments before one that exists; nothing more is written to them."""
        if self._reader.position.segment >= segment:
            return
        while records := self._reader.read(ended=False, limit=_READ_BYTES):
            if before := [record for record in records if record.segment < segment]:
                self._add(before)
            if len(before) < len(records):
                break
        self._reader.close()
        self._begin(Position(segment, FIRST_OFFSET), self.next_order, self._assembler.unpublished())

    def close(self) -> None:
        """Close the file that is read; it is opened again when needed."""
        self._reader.close()

    def load(self) -> bool:
        """Continue from the file; return False if it is missing or damaged."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, MalformedEvent, LookupError, TypeError, ValueError):
            data = msgspec.msgpack.decode((self._folder / SUMMARY_FILE_NAME).read_bytes())
            if data["version"] == _VERSION:
                fold = decode_state(RUN, data["fold"])
                self._begin(Position(data["segment"], FIRST_OFFSET), data["next_order"], data["waiting"])
                self.fold = fold
                return True
        return False

    def save(self) -> None:
        """Write the file, which includes the segments before the one that is read next."""
        data = {
            "version": _VERSION,
            "segment": self._reader.position.segment,
            "next_order": self.next_order,
            "waiting": self._assembler.unpublished(),
            "fold": encode_state(self.fold),
        }
        write_file(self._folder / SUMMARY_FILE_NAME, msgspec.msgpack.encode(data))

    @property
    def next_order(self) -> int:
        """The order after the last append that was folded."""
        return self._assembler.next_order or 0

    def _begin(self, position: Position, next_order: int, unpublished: Sequence[Sequence[Any]] = ()) -> None:
        self._reader = SpoolReader(self._folder, position, next_order)
        self._assembler = Assembler(
            {}, block_bytes=_UNLIMITED, block_rows=_UNLIMITED, next_order=next_order, unpublished=unpublished
        )

    def _add(self, records: list[SpoolRecord]) -> None:
        self._assembler.add(records)
        self._fold_blocks()

    def _fold_blocks(self) -> None:
        for block in self._assembler.blocks():
            for event in self._events(block):
                with contextlib.suppress(MalformedEvent):
                    self.fold.fold(event, OFFSET, 0)

    def _events(self, block: Block) -> Iterator[Event]:
        """Yield the events of a block as the shipper publishes it, without those that do not affect the summary."""
        if block.reason or block.is_branch:
            return
        if block.stream == StreamCode.HISTORY or block.topic in _CHANGES:
            if block.largest > _SMALL:  # it may not fit into a message
                for message in create_messages(block, self._envelope, DEFAULT_LIMITS, now=0, keep=self._reference):
                    if not message.lost:
                        yield decode(message.topic, message.payload)
                return
            try:
                yield event_of(block, self._envelope, DEFAULT_LIMITS, now=0)
            except UNPUBLISHABLE:
                for part in halves(block) if block.count > 1 else ():
                    yield from self._events(part)

    def _reference(self, block: Block, path: Sequence[str], value: Any) -> dict[str, Any]:
        """Return the reference to the file in which the shipper keeps a value of a row."""
        row = self._envelope.writer.id, block.seq, block.steps[0]
        return ValueFile.of_row(row, path, value).reference

    def _adopt(self) -> bool:
        """Continue from the file if it includes more than what was folded here."""
        ahead = SpoolSummary(self._folder, self._envelope.writer)
        if not ahead.load() or ahead.next_order <= self.next_order:
            return False
        self._reader.close()
        self._reader, self._assembler, self.fold = ahead._reader, ahead._assembler, ahead.fold
        if self._seed is not None:
            self.fold.merge(self._seed)
        return True
