"""The shipper: follows every writer of a run folder until each has ended and everything is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from typing import Any

from runstream.preemption import is_preemptible
from runstream.run_folder.folder import RunFolder
from runstream.run_folder.json_files import read_json
from runstream.run_folder.process_identity import Host
from runstream.shipper.background import BackgroundTasks
from runstream.shipper.delivery.awaited_ends import AwaitedEnds
from runstream.shipper.delivery.checkpoint import Checkpoint
from runstream.shipper.delivery.connector import Connector
from runstream.shipper.delivery.report import Report
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.delivery.writer_registry import WriterRegistry
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.ledger.upload_gate import UploadGate
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.sources.collector import Collector
from runstream.shipper.sources.large_values import LargeValues
from runstream.shipper.sources.run_number import RunNumberResolver
from runstream.shipper.transport.route import Destination, Route
from runstream.shipper.uploads.record_uploads import RecordUploads
from runstream.shipper.uploads.watched_files import WatchedFiles
from runstream.shipper.writers.heartbeat_sender import HeartbeatSender
from runstream.shipper.writers.heartbeats import Beats, create_goodbye
from runstream.shipper.writers.process import InheritedPidfd
from runstream.shipper.writers.stop_requests import StopRequestPoller
from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.control_page import Phase, Word
from runstream.spool.format import TopicCode
from runstream_schemas import values
from runstream_schemas.events import HeartbeatEvent

log = logging.getLogger(__name__)

#: Seconds that one turn may read and encode before heartbeats and acknowledgements are handled.
_SLICE_S = 0.02


class ShipperResult(Enum):
    """Why the shipper stopped."""

    #: Every writer has ended and everything is delivered.
    COMPLETE = "complete"
    #: What was recorded is delivered; some writer is still running.
    OPEN = "open"
    #: It received a request to stop.
    STOPPED = "stopped"
    #: No server has answered for too long, or the folder was deleted.
    GIVEN_UP = "given up"


class ShipperError(Exception):
    """A background task or a callback of the shipper ended with an unexpected error."""


class Shipper:
    """Delivers one run folder, which its owner has locked.

    With ``live``, beats are sent, the system is sampled, and delivery continues until every writer has ended. Otherwise
    what is recorded is delivered, as for an offline run, without beats. ``progress`` is called about ten times a second
    with the records acknowledged and pending. ``gate`` replaces the uploads of files and artifacts.
    """

    def __init__(
        self,
        folder: RunFolder,
        environ: Mapping[str, str],
        settings: ShipperSettings,
        *,
        live: bool = True,
        progress: Callable[[int, int], None] | None = None,
        trainer: InheritedPidfd | None = None,
        gate: UploadGate | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._live = live
        self._progress = progress
        self._control = folder.control
        self._wake = asyncio.Event()
        self._tasks = BackgroundTasks(self._fail)
        self._ledger = Ledger.load(folder.ledger)
        report = Report()
        report.restore(read_json(folder.report, values.load) or {})
        large = LargeValues(folder.path, partial(self._record, TopicCode.FILE))
        self.delivery = RunDelivery(report, settings, self._send_goodbye, large.keep)
        self._watched = WatchedFiles(
            folder.path,
            self._ledger,
            settings,
            live=live,
            record=partial(self._record, TopicCode.FILE),
            ended=self.delivery.has_ended,
            announced=lambda writer, seq: self.delivery.file_announced(self._collector.writer.id, writer, seq),
        )
        self._checkpoint = Checkpoint(folder, self._ledger, self.delivery)
        route = Route(folder.info, environ, settings, self._ledger.reached_clusters)
        self.uploads = RecordUploads(
            folder,
            route,
            settings,
            self._tasks,
            get_run=lambda: self.delivery.run,
            watched=self._watched,
            record=self._record,
            changed=self._wake.set,
        )
        reachable = asyncio.Event()
        self.connector = Connector(folder, route, self._ledger, settings, moved=self._wake.set, reachable=reachable)
        self._beats = Beats()
        due = self._due_beats if live else None
        self._heartbeats = HeartbeatSender(self.connector.resolve, due, settings, reachable)
        host = Host.here()
        self._collector = Collector(folder, host, console=self._ledger.console, sample=live)
        self._registry = WriterRegistry(
            folder=folder,
            host=host,
            ledger=self._ledger,
            delivery=self.delivery,
            settings=settings,
            tasks=self._tasks,
            trainer=trainer,
            gate=gate or self.uploads,
            own=self._collector.writer.id,
            preemptible=is_preemptible(environ),
            changed=self._note_change,
        )
        self._stop_requests = StopRequestPoller(
            route,
            self._control,
            get_run=lambda: self.delivery.run,
            get_writers=lambda: [tail.info.id for tail in self.delivery.tails.values() if tail.running],
        )
        self._run_number = RunNumberResolver(
            folder.info, route, settings, self._ledger, resolve=self.connector.resolve, record=self._record_number
        )
        self._awaited_ends = AwaitedEnds(self._control)
        self._preempting_noted = False
        self._housekept_at = self._busy_until = 0.0
        #: The last turn left something to read; it found everything read and acknowledged.
        self._more = self._quiet = False
        self._stopping = self._gone = False
        self._error: ShipperError | None = None

    def stop(self) -> None:
        """Stop soon: what is not delivered stays in the spool."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> ShipperResult:
        """Deliver until nothing is left to do; raise ShipperError if a task or a callback failed unexpectedly."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._tasks.handle_loop_error)
        self._publish_itself()
        self._collector.begin()
        self._keep_house()
        self._tasks.start("connector", self.connector.run(self.delivery))
        self._tasks.start("heartbeats", self._heartbeats.run())
        self._tasks.start("run number", self._run_number.run())
        self._tasks.start("watched files", self._watched.run())
        if self._live:
            self._tasks.start("stop requests", self._stop_requests.run())
        try:
            return await self._work()
        finally:
            self.uploads.close()
            await self._tasks.close()
            loop.set_exception_handler(None)
            self._registry.close()
            self._collector.close()
            self._control[Word.SHIPPER_PID] = 0
            self._control.close()

    async def _work(self) -> ShipperResult:
        active_at = time.monotonic()
        while not self._stopping:
            self._wake.clear()
            self._turn()
            if (result := await self._close_delivered()) is not None:
                return result
            if self._error is not None:
                raise self._error
            if self._gone:
                log.warning("the run folder was deleted: %s", self._folder.path)
                return ShipperResult.GIVEN_UP
            if self._delivering or any(tail.running for tail in self.delivery.tails.values()):
                active_at = time.monotonic()
            elif time.monotonic() - active_at > self._settings.patience_s:
                problem = self.connector.problem or self.uploads.problem
                log.warning("giving up (%s); run `runstream sync` to deliver the rest", problem)
                await self._save()
                return ShipperResult.GIVEN_UP
            await self._wait()
        await self._save()
        return ShipperResult.STOPPED

    def _turn(self) -> None:
        """Look for new writers and rows, and send what can be sent."""
        now = time.monotonic()
        if now - self._housekept_at >= self._settings.housekeeping_s or self._registry.outdated:
            self._keep_house()
        delivery, own = self.delivery, self._collector.writer
        tail = delivery.tails.get(own.id)
        if not own.ended:
            self._collector.collect(self._registry.trainers, pending=tail.pending() if tail else 0, now=now)
        if self._ledger.watched and not (own.begun or own.ended):
            with contextlib.suppress(OSError):  # the disk is full: the next turn tries again
                own.begin()
        if tail is None and own.begun:
            self._keep_house()
        if self._preempting and not self._preempting_noted:
            self._preempting_noted = True
            self._heartbeats.beat_now()
        delivery.send_exits()
        self._more = delivery.pump(_SLICE_S)
        delivery.send_exits()
        self._quiet = delivery.connected and not (self._more or delivery.in_flight or delivery.uploading)
        if self._more or delivery.in_flight:
            self._busy_until = now + self._settings.busy_s

    async def _wait(self) -> None:
        """Wait until something has changed, or until it is time to look at the spool again."""
        if self._more or self._wake.is_set():
            await asyncio.sleep(0)  # let the connections run first
            return
        hurried = time.monotonic() < self._busy_until or self._control[Word.FINISH_REQUESTED]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.busy_poll_s if hurried else self._settings.idle_poll_s):
                await self._wake.wait()

    def _keep_house(self) -> None:
        """Look for writers, and publish on the control page that the shipper is running and how far it is."""
        self._housekept_at = time.monotonic()
        self._gone = not self._folder.path.exists()
        if self._control.check():
            log.warning("the control page was damaged or deleted, and is rebuilt")
            self._publish_itself()
        self._control[Word.SHIPPER_ALIVE] = time.time_ns() // 1000
        self._registry.scan()
        self._collector.writer.restore(delivered=self.delivery.closed(self._collector.writer.id))
        self.uploads.trim()
        self._publish_counts()

    def _publish_itself(self) -> None:
        self._control[Word.SHIPPER_PID] = os.getpid()
        self._control[Word.PHASE] = self.connector.phase
        self._control[Word.STOP_REQUESTED] |= self._stop_requests.requested

    def _publish_counts(self) -> None:
        pending = self.delivery.pending()
        self._control[Word.PENDING] = pending
        if self.delivery.acked != self._control[Word.ACKED]:
            self._control[Word.LAST_ACKED] = time.time_ns() // 1000
        self._control[Word.ACKED] = self.delivery.acked
        self._control[Word.TRAINERS_ACKED] = self.delivery.trainers_acked
        left = self.uploads.remaining()
        self._control[Word.UPLOAD_FILES], self._control[Word.UPLOAD_BYTES] = left.files, left.size
        self._control[Word.UPLOADED_BYTES] = left.sent
        if self._progress is not None:
            self._progress(self.delivery.acked, pending)

    @property
    def _delivering(self) -> bool:
        """Whether the broker can be reached, and the object store if nothing else is left to deliver."""
        only_uploads = self.delivery.uploading and not (self._more or self.delivery.in_flight)
        return self.delivery.connected and not (only_uploads and self.uploads.problem)

    @property
    def _preempting(self) -> bool:
        return self._control[Word.PREEMPTING] != 0

    # --- callbacks

    def _note_change(self) -> None:
        self._heartbeats.beat_now()
        self._wake.set()

    def _due_beats(self, where: Destination) -> Iterator[HeartbeatEvent]:
        return self._beats.due(self.delivery.tails.values(), where, preempting=self._preempting)

    def _send_goodbye(self, tail: WriterTail) -> None:
        """Send the goodbye of a writer whose exit is acknowledged."""
        if tail.is_trainer:
            acknowledged = partial(self._note_goodbye, tail)
            self._heartbeats.send_goodbye(tail.info.id, partial(create_goodbye, tail), acknowledged)

    def _note_goodbye(self, tail: WriterTail) -> None:
        tail.account.goodbye_acked = True
        self.delivery.changed = True
        self._wake.set()

    def _record_number(self, number: int) -> None:
        """Record the number of the run in its project as if the training process had done so."""
        self._record(TopicCode.CONFIG, [["attribute", "set", ["number"], number]])

    def _record(self, topic: TopicCode, payload: Any) -> None:
        """Append to the shipper's own spool; raises OSError if there is none and none can be created."""
        if not self._collector.writer.ended:
            self._collector.writer.begin().append(topic, payload)
        self.delivery.changed = True
        self._wake.set()

    def _fail(self, name: str, error: Exception) -> None:
        """Stop because of an unexpected error: the guardian starts another shipper."""
        log.error("%s failed", name, exc_info=error)
        if self._error is None:
            self._error = ShipperError(f"{name} failed: {type(error).__name__}: {error}")
            self._error.__cause__ = error
        self._wake.set()

    # --- the end

    async def _close_delivered(self) -> ShipperResult | None:
        """Close writers that are delivered, and save; return a result once nothing is left to do."""
        decided = self.delivery.decide_beats(live=self._live)
        closed = [tail for tail in self.delivery.tails.values() if self._close_writer(tail)]
        if closed or decided or self._checkpoint.due:
            await self._save()
        if decided:
            # Even if the ledger could not be written, as on a full disk: a running run must send beats.
            for account in decided:
                account.beats_saved = True
            self._note_change()
        return await self._finish()

    def _close_writer(self, tail: WriterTail) -> bool:
        account = tail.account
        if account.closed or not account.exit_acked or tail.exit is None:
            return False
        if tail.is_trainer and not account.goodbye_acked:
            self._send_goodbye(tail)
        elif tail.delivered:
            account.closed = True
            tail.close()
        return account.closed

    async def _finish(self) -> ShipperResult | None:
        """End the shipper's own writer after all others; return a result once that is delivered too."""
        tails, own = self.delivery.tails, self._collector.writer
        others = [tail for tail in tails.values() if tail.info.id != own.id]
        complete = all(tail.account.closed for tail in others) and bool(others or self._registry.closed_before)
        await self._note_awaited(others)
        reading = self._collector.reading() or self._watched.waiting()
        if reading or not (complete or (not self._live and self._is_caught_up(others))):
            return None
        if not own.ended:
            if self._run_number.awaited():
                return None
            if complete:
                self._collector.drain()
                self._watched.record_rest()
            own.end()
            self._keep_house()
        if own.id in tails and not tails[own.id].account.closed:
            return None
        self._ledger.complete = complete
        await self._save(report=True)
        self._publish_counts()
        if not complete:
            return ShipperResult.OPEN
        await asyncio.to_thread(self._folder.delete_staged)
        self._control[Word.PHASE] = Phase.DELIVERED
        return ShipperResult.COMPLETE

    async def _note_awaited(self, tails: list[WriterTail]) -> None:
        """Publish when only the ends of processes are missing for which ``finish()`` must not wait."""
        caught_up = self.delivery.connected and not (self._more or self.delivery.saturated)
        awaited = self._awaited_ends.update(tails, caught_up=caught_up)
        if awaited and not self._control[Word.AWAITS_END]:
            await self._save(report=True)
            self._publish_counts()
        if awaited != bool(self._control[Word.AWAITS_END]):
            self._control[Word.AWAITS_END] = int(awaited)

    def _is_caught_up(self, tails: list[WriterTail]) -> bool:
        """Whether everything that running writers have written so far is delivered."""
        return self._quiet and all(tail.account.closed or (not tail.dead and tail.exit is None) for tail in tails)

    async def _save(self, *, report: bool = False) -> None:
        self._ledger.console = self._collector.console_offset
        await self._checkpoint.save()
        if report:
            self._checkpoint.write_report()
