"""Summary states of deleted segments: a process that is running may still read its summary."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from runstream.assembly.spool_summary import SUMMARY_FILE_NAME, SpoolSummary
from runstream.shipper.writers.writer_tail import WriterTail

log = logging.getLogger(__name__)


class SavedSummaries:
    """Saves, next to the spool of each running writer, the summary state of its deleted segments."""

    def __init__(self) -> None:
        self._summaries: dict[bytes, SpoolSummary] = {}

    def cover(self, tails: Iterable[WriterTail], segments: Collection[Path]) -> None:
        """Include segments that are about to be deleted. Writers that have ended need no summary state."""
        for tail in tails:
            numbers = [int(path.stem) for path in segments if path.parent == tail.path]
            if not numbers:
                continue
            if not tail.is_trainer or tail.dead or tail.exit is not None:
                self._summaries.pop(tail.info.id, None)
                (tail.path / SUMMARY_FILE_NAME).unlink(missing_ok=True)
                continue
            try:
                self._cover(tail, max(numbers) + 1)
            except OSError as error:
                # The disk is full or the folder was deleted. Freeing space is more important: the next file includes
                # these segments too.
                log.warning("cannot save the summary of %s: %s", tail.label, error)

    def _cover(self, tail: WriterTail, segment: int) -> None:
        summary = self._summaries.get(tail.info.id)
        if summary is None:
            summary = self._summaries[tail.info.id] = SpoolSummary(tail.path, tail.info.writer)
            summary.load()
        summary.advance_to(segment)
        summary.save()
