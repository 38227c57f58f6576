"""The fold of a writer's spool, as far as it was read; kept in a file for the segments that are deleted."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.assembly.row_events import RUN, Appends
from runstream.spool.reader import FIRST_OFFSET, Position, SpoolReader, segment_path
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.summary_algebra.state_codec import decode_state, encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.spool.reader import SpoolRecord
    from runstream_schemas.events import Writer

SUMMARY_FILE_NAME = "fold.msgpack"
#: Where rows of one writer stand in a partition does not matter among themselves; what the server had before counts as
#: earlier, since it was.
OFFSET = 2**62
_VERSION = 1
#: Bytes that are read and folded at once.
_AT_ONCE = 1024 * 1024


class SpoolSummary:
    """SavedSummaries what one writer appended, segment by segment. Not safe with threads.

    Args:
        folder: The writer's folder.
        writer: The writer.
        seed: What was known of the run before the writer's first append; counts beside what is folded.
    """

    def __init__(self, folder: Path, writer: Writer, seed: SummaryState | None = None) -> None:
        self._folder = folder
        self._writer = writer
        self._seed = seed
        self.fold = SummaryState(run=RUN)
        if seed is not None:
            self.fold.merge(seed)
        self._begin(Position(0, FIRST_OFFSET), 0, [])

    def advance(self) -> None:
        """Fold what was appended since. What was deleted meanwhile is taken from the file that tells its fold."""
        while True:
            while records := self._reader.read(ended=False, limit=_AT_ONCE):
                gap = records[0].order != self.next_order
                if gap and self._adopt():
                    continue
                if gap:
                    self._appends.give_up_row()
                self._take(records)
            if segment_path(self._folder, self._reader.position.segment).exists() or not self._adopt():
                self._reader.close()
                return

    def end(self) -> None:
        """Fold all there is, the row that is open included: nothing more will be appended."""
        self.advance()
        self._appends.close_row()
        self._fold_whole()

    def advance_to(self, segment: int) -> None:
        """Fold what lies in segments below one that exists; they are written no more."""
        if self._reader.position.segment >= segment:
            return
        while records := self._reader.read(ended=False, limit=_AT_ONCE):
            before = [record for record in records if record.segment < segment]
            if before:
                self._take(before)
            if len(before) < len(records):
                break
        self._reader.close()
        self._begin(Position(segment, FIRST_OFFSET), self.next_order, self._appends.waiting())

    def close(self) -> None:
        """Close the file that is read; going on opens it again."""
        self._reader.close()

    def load(self) -> bool:
        """Go on from the file, where there is one that can be read."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, MalformedEvent, LookupError, TypeError, ValueError):
            data = msgspec.msgpack.decode((self._folder / SUMMARY_FILE_NAME).read_bytes())
            if data["version"] == _VERSION:
                self._restore(data)
                return True
        return False

    def save(self) -> None:
        """Write the file, which covers the segments below the one that is read next.

        Raises:
            OSError: It cannot be written.
        """
        data = {
            "version": _VERSION,
            "segment": self._reader.position.segment,
            "next_order": self.next_order,
            "waiting": self._appends.waiting(),
            "fold": encode_state(self.fold),
        }
        path = self._folder / SUMMARY_FILE_NAME
        draft = path.with_name(f"{SUMMARY_FILE_NAME}.{os.getpid()}.new")
        draft.write_bytes(msgspec.msgpack.encode(data))
        draft.replace(path)

    def _begin(self, position: Position, next_order: int, waiting: list[list[Any]]) -> None:
        #: The order behind the last append that was folded.
        self.next_order = next_order
        self._reader = SpoolReader(self._folder, position, next_order)
        self._appends = Appends(self._writer, waiting)

    def _take(self, records: list[SpoolRecord]) -> None:
        self._appends.take(records)
        self.next_order = records[-1].order + 1
        self._fold_whole()

    def _fold_whole(self) -> None:
        for event in self._appends.events():
            with contextlib.suppress(MalformedEvent):
                self.fold.fold(event, OFFSET, 0)

    def _adopt(self) -> bool:
        """Take over what the file tells, if that is more than what was folded here."""
        ahead = SpoolSummary(self._folder, self._writer)
        if not ahead.load() or ahead.next_order <= self.next_order:
            return False
        self._reader.close()
        self.fold = ahead.fold
        if self._seed is not None:
            self.fold.merge(self._seed)
        self._begin(ahead._reader.position, ahead.next_order, ahead._appends.waiting())
        return True

    def _restore(self, data: dict[str, Any]) -> None:
        fold = decode_state(RUN, data["fold"])
        self._begin(Position(data["segment"], FIRST_OFFSET), data["next_order"], data["waiting"])
        self.fold = fold
