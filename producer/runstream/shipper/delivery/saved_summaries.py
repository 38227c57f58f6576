"""What segments said, folded before they are deleted: a process that lives may still be asked for its summary."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runstream.assembly.spool_summary import SUMMARY_FILE_NAME, SpoolSummary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from runstream.shipper.writers.writer_tail import WriterTail

log = logging.getLogger(__name__)


class SavedSummaries:
    """Keeps, beside the spool of each living writer, the fold of the segments that are deleted."""

    def __init__(self) -> None:
        self._summaries: dict[bytes, SpoolSummary] = {}

    def cover(self, tails: Iterable[WriterTail], segments: Collection[Path]) -> None:
        """Fold segments that are about to be deleted; those of writers that have ended need none."""
        for tail in tails:
            numbers = [int(path.stem) for path in segments if path.parent == tail.path]
            if not numbers:
                continue
            if not tail.trains or tail.dead or tail.exit is not None:
                self._summaries.pop(tail.info.id, None)
                (tail.path / SUMMARY_FILE_NAME).unlink(missing_ok=True)
                continue
            try:
                self._cover(tail, max(numbers) + 1)
            except OSError as error:
                # The disk is full, or the folder gone. Room comes first: the next file covers these segments, too.
                log.warning("the fold of %s cannot be written: %s", tail.label, error)

    def _cover(self, tail: WriterTail, segment: int) -> None:
        fold = self._summaries.get(tail.info.id)
        if fold is None:
            fold = self._summaries[tail.info.id] = SpoolSummary(tail.path, tail.info.writer)
            fold.load()
        fold.advance_to(segment)
        fold.save()
