"""Saving what is delivered, and deleting the segments that are not needed any more."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from pathlib import Path

from runstream.run_folder.folder import RunFolder
from runstream.run_folder.json_files import write_file, write_json
from runstream.shipper.delivery.report import Report
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.delivery.saved_summaries import SavedSummaries
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.settings import ShipperSettings

log = logging.getLogger(__name__)


class Checkpoint:
    """Saves the ledger of a run folder, and its report."""

    def __init__(
        self, folder: RunFolder, ledger: Ledger, delivery: RunDelivery, report: Report, settings: ShipperSettings
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._delivery = delivery
        self._report = report
        self._settings = settings
        self._summaries = SavedSummaries()
        self._saved_at = self._reported_at = 0.0

    @property
    def due(self) -> bool:
        """Whether something changed, and the last save is long enough ago."""
        return self._delivery.changed and time.monotonic() - self._saved_at >= self._settings.housekeeping_s

    async def save(self) -> None:
        """Save the ledger, then delete the segments that it declares delivered.

        The order matters at every await: see the table in ``docs/shipper.md``.
        """
        self._saved_at = time.monotonic()
        segments = self._delivery.settle()
        data = self._ledger.to_json()
        try:
            await asyncio.to_thread(partial(write_json, self._ledger.path, data, durable=True))
        except OSError as error:
            # Most likely the disk is full, and these segments fill it. A ledger that lags behind is harmless: what it
            # does not declare delivered is sent again or marked as missing, and consumers trim either.
            log.warning("cannot write %s: %s", self._ledger.path.name, error)
            self._delivery.changed = True
        if segments:
            await asyncio.to_thread(self._delete, segments)
        if time.monotonic() - self._reported_at >= self._settings.report_s:
            self.write_report()

    def write_report(self) -> None:
        """Write ``report.json`` if it changed."""
        self._reported_at = time.monotonic()
        if self._report.changed:
            try:
                write_file(self._folder.report, self._report.dump().encode())
            except OSError as error:
                log.warning("cannot write report.json: %s", error)

    def _delete(self, segments: list[Path]) -> None:
        self._summaries.cover(list(self._delivery.tails.values()), segments)
        for path in segments:
            path.unlink(missing_ok=True)
