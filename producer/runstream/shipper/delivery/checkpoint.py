"""Saving what is delivered, and deleting the segments that are not needed any more."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runstream.assembly.spool_summary import SUMMARY_FILE_NAME, SpoolSummary
from runstream.run_folder.folder import RunFolder
from runstream.run_folder.json_files import write_file, write_json
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.writers.writer_tail import WriterTail

log = logging.getLogger(__name__)

_SHARE, _LONGEST_PAUSE_S = 1 / 20, 10.0


@dataclass(slots=True)
class Checkpoint:
    """Saves the ledger of a run folder, and its report."""

    folder: RunFolder
    ledger: Ledger
    delivery: RunDelivery
    #: By writer, the summary state of its deleted segments: a process that is running may still read its summary.
    _summaries: dict[bytes, SpoolSummary] = field(default_factory=dict)
    _saved_at: float = 0.0
    #: How long the last save took.
    _took_s: float = 0.0
    _reported_at: float = 0.0

    @property
    def due(self) -> bool:
        """Whether something changed, and the last save is long enough ago.

        Where the disk is busy, for example with what an object store writes, a save takes a small share of the time.
        """
        pause = max(self.delivery.settings.housekeeping_s, min(self._took_s / _SHARE, _LONGEST_PAUSE_S))
        return self.delivery.changed and time.monotonic() - self._saved_at >= pause

    async def save(self) -> None:
        """Save the ledger, then delete the segments and staged files that it declares delivered.

        The order matters at every await: see the table in ``docs/shipper.md``.
        """
        self._saved_at = time.monotonic()
        segments, staged = self.delivery.settle()
        data = self.ledger.to_json()
        try:
            await asyncio.to_thread(partial(write_json, self.ledger.path, data, durable=True))
        except OSError as error:
            # Most likely the disk is full, and these segments fill it. A ledger that lags behind is harmless: what it
            # does not declare delivered is sent again or marked as missing, and consumers trim either.
            log.warning("cannot write %s: %s", self.ledger.path.name, error)
            self.delivery.changed = True
        self._took_s = time.monotonic() - self._saved_at
        if segments or staged:
            await asyncio.to_thread(self._delete, segments, staged)
        if time.monotonic() - self._reported_at >= self.delivery.settings.report_s:
            self.write_report()

    def write_report(self) -> None:
        """Write ``report.json`` if it changed."""
        self._reported_at = time.monotonic()
        if self.delivery.report.changed:
            try:
                write_file(self.folder.report, self.delivery.report.dump().encode())
            except OSError as error:
                log.warning("cannot write report.json: %s", error)

    def _delete(self, segments: list[Path], staged: list[str]) -> None:
        for tail in list(self.delivery.tails.values()):
            if numbers := [int(path.stem) for path in segments if path.parent == tail.path]:
                self._cover(tail, max(numbers) + 1)
        for path in segments:
            path.unlink(missing_ok=True)
        folder = os.fspath(self.folder.path)
        for name in staged:
            with suppress(FileNotFoundError):
                os.unlink(f"{folder}/{name}")  # noqa: PTH108 - often thousands

    def _cover(self, tail: WriterTail, segment: int) -> None:
        """Save the summary state of a running writer's segments up to ``segment``, which are about to be deleted."""
        if not tail.is_trainer or tail.dead or tail.exit is not None:
            self._summaries.pop(tail.info.id, None)
            (tail.path / SUMMARY_FILE_NAME).unlink(missing_ok=True)
            return
        try:
            summary = self._summaries.get(tail.info.id)
            if summary is None:
                summary = self._summaries[tail.info.id] = SpoolSummary(tail.path, tail.info.writer)
                summary.load()
            summary.advance_to(segment)
            summary.save()
        except OSError as error:
            # The disk is full or the folder was deleted. Freeing space is more important: the next file includes
            # these segments too.
            log.warning("cannot save the summary of %s: %s", tail.label, error)
