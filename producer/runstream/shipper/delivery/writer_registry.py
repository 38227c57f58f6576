"""The writers of a run folder: finding them, watching their processes, and finding out how they ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from runstream.run_folder.folder import RunFolder
from runstream.run_folder.process_identity import Host
from runstream.shipper.background import BackgroundTasks, retry
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.ledger.upload_gate import UploadGate
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.writers.exits import Circumstances
from runstream.shipper.writers.process import InheritedPidfd
from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.control_page import Word

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class WriterRegistry:
    """Adds the writers of a run folder to its delivery, and sets their exits.

    ``own`` is the shipper's own writer, which needs no watching; ``changed`` is called when there is a new writer or an
    exit.
    """

    folder: RunFolder
    host: Host
    ledger: Ledger
    delivery: RunDelivery
    settings: ShipperSettings
    tasks: BackgroundTasks
    trainer: InheritedPidfd | None
    gate: UploadGate | None
    own: bytes
    preemptible: bool
    changed: Callable[[], None]
    #: Writers that were delivered completely before this shipper started.
    closed_before: set[bytes] = field(default_factory=set)
    _searched: set[bytes] = field(default_factory=set)
    _scanned: int = 0

    @property
    def outdated(self) -> bool:
        """Whether a writer may have been added since the last scan."""
        return self._modified() != self._scanned

    @property
    def trainers(self) -> list[WriterTail]:
        """The writers whose processes are the user's and are running, as far as is known."""
        return [tail for tail in self.delivery.tails.values() if tail.is_trainer and not tail.dead]

    def scan(self) -> None:
        """Find new writers, and those whose processes have exited."""
        self._scanned = self._modified()
        tails = self.delivery.tails
        for writer in self.folder.writers():
            if writer not in tails and writer not in self.closed_before:
                self._add(writer)
        for tail in tails.values():
            if tail.info.id == self.own or tail.account.closed:
                continue
            descriptor = tail.check_process(time.time())
            if descriptor is not None and tail.dead:
                asyncio.get_running_loop().remove_reader(descriptor)
            elif descriptor is not None:
                asyncio.get_running_loop().add_reader(descriptor, self._note_death, tail, descriptor)
            if tail.dead:
                self._search_exit(tail)

    def close(self) -> None:
        """Close the files of all writers."""
        for tail in self.delivery.tails.values():
            tail.close()

    def _add(self, writer: bytes) -> None:
        tail = WriterTail(self.folder, self.folder.writer_info(writer), self.host, self.trainer, self.gate)
        if self.ledger.closed(writer):
            self.closed_before.add(writer)
            tail.delete_segments()  # an earlier shipper was killed before it could
        else:
            self.delivery.add(tail)
            self.changed()

    def _note_death(self, tail: WriterTail, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        tail.dead = True
        self._search_exit(tail)

    def _search_exit(self, tail: WriterTail) -> None:
        if tail.info.id not in self._searched:
            self._searched.add(tail.info.id)
            self.tasks.start(f"exit of {tail.label}", self._find_exit(tail))

    async def _find_exit(self, tail: WriterTail) -> None:
        """Find out how a writer ended. Whatever goes wrong, the writer gets an exit, and the run ends."""
        floor, now = self.ledger.floor(tail.info.id), time.time_ns() // 1000
        find = partial(tail.find_exit, floor, self._circumstances(), now=now)
        try:
            found = await retry(
                find,
                OSError,
                first_s=self.settings.first_retry_s,
                longest_s=self.settings.longest_retry_s,
                problem=f"cannot find out how {tail.label} ended",
            )
        except Exception:
            log.exception("how %s ended follows from its spool once it is read", tail.label)
            tail.presume_exit(self._circumstances())
        else:
            tail.exit = tail.exit or found
            log.info("%s ended: %s %s", tail.label, found.ending.state.value, found.ending.reason)
        self.changed()

    def _circumstances(self) -> Circumstances:
        control = self.folder.control
        return Circumstances(
            stop=control[Word.STOP_REQUESTED] != 0,
            preempting=control[Word.PREEMPTING] != 0,
            preemptible=self.preemptible,
        )

    def _modified(self) -> int:
        try:
            return self.folder.spool.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
