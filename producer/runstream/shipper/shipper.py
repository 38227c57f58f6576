"""The shipper: follows every writer of a run folder until each has ended and everything is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from runstream.preemption import is_preemptible
from runstream.run_folder.json_files import read_json, write_json
from runstream.run_folder.process_identity import Host
from runstream.shipper.delivery.connector import Connector
from runstream.shipper.delivery.ledger import Ledger
from runstream.shipper.delivery.report import Report
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.delivery.saved_summaries import SavedSummaries
from runstream.shipper.sources.collector import Collector
from runstream.shipper.sources.run_number import RunNumberResolver
from runstream.shipper.writers.exits import Circumstances
from runstream.shipper.writers.heartbeat_sender import HeartbeatSender
from runstream.shipper.writers.heartbeats import beat_of, goodbye_of
from runstream.shipper.writers.stop_requests import StopRequestPoller
from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.control_page import Phase, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runstream.run_folder.folder import RunFolder
    from runstream.shipper.delivery.route import Destination
    from runstream.shipper.settings import ShipperSettings
    from runstream.shipper.writers.process import InheritedPidfd
    from runstream_schemas.events import HeartbeatEvent

log = logging.getLogger(__name__)

#: Seconds that one turn may read and encode before beats and acknowledgements get their turn.
_SLICE_S = 0.02


class ShipperResult(Enum):
    """Why the shipper stopped."""

    #: Every writer has ended and everything is delivered.
    COMPLETE = "complete"
    #: What was there is delivered; some writer lives on.
    OPEN = "open"
    #: It was told to stop.
    STOPPED = "stopped"
    #: No server has answered for so long that waiting on is no use, or the folder was deleted.
    GIVEN_UP = "given up"


class Shipper:
    """Delivers one run folder, whose lock its owner holds.

    Args:
        folder: The run.
        environ: Names the server.
        settings: Intervals, sizes, deadlines.
        live: Beat, sample the system and go on until every writer has ended. Otherwise deliver what there is: an
            offline run, without a word of its being alive.
        progress: Called about every tenth of a second with records acknowledged and pending.
        trainer: The pidfd of the process that had this shipper started.
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
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._live = live
        self._progress = progress
        self._trainer = trainer
        self._host = Host.here()
        self._ledger = Ledger.load(folder.ledger)
        self._summaries = SavedSummaries()
        self._report = Report()
        self._report.restore(read_json(folder.report) or {})
        self._delivery = RunDelivery(self._ledger, self._report, settings, self._send_goodbye)
        self._control = folder.control
        self._wake = asyncio.Event()
        self._connector = Connector(
            folder,
            environ,
            self._ledger,
            settings,
            self._control,
            moved=self._wake.set,
            reachable=lambda reachable: self._heartbeats.note_broker(reachable=reachable),
        )
        self._heartbeats = HeartbeatSender(self._connector.resolve, self._beats if live else None, settings)
        self._collector = Collector(folder, self._host, console=self._ledger.console, sample=live)
        self._stop_requests = StopRequestPoller(
            folder.info.url,
            environ,
            self._control,
            settings.ask_deadline_s,
            run=lambda: self._delivery.run,
            writers=lambda: [tail.info.id for tail in self._delivery.tails.values() if tail.lives],
        )
        self._run_number = RunNumberResolver(
            folder.info,
            environ,
            settings,
            self._ledger,
            resolve=self._connector.resolve,
            record=self._record_number,
        )
        self._preemptible = is_preemptible(environ)
        self._told_preempting = False
        self._beat_numbers: dict[bytes, int] = {}
        self._investigations: dict[bytes, asyncio.Task[None]] = {}
        self._goodbyes_sent: set[bytes] = set()
        #: Writers that were delivered wholly before this shipper began.
        self._closed_before: set[bytes] = set()
        self._spool_changed = 0
        self._housekept = self._saved = self._reported = 0.0
        #: The last turn left something to read; it found everything read and acknowledged.
        self._more = self._quiet = False
        self._busy_until = 0.0
        self._stopping = self._gone = False

    @property
    def problem(self) -> str:
        """Why nothing is delivered at the moment; empty while it is."""
        return self._connector.problem

    @property
    def acked(self) -> int:
        """Records acknowledged since the start."""
        return self._delivery.acked

    def stop(self) -> None:
        """Stop soon: what is not delivered stays in the spool."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> ShipperResult:
        """Deliver until there is nothing more to do."""
        self._control[Word.SHIPPER_PID] = os.getpid()
        self._control[Word.PHASE] = Phase.NEVER_CONNECTED
        self._collector.begin()
        self._scan_folder()
        tasks = [asyncio.create_task(self._connector.run(self._delivery)), asyncio.create_task(self._heartbeats.run())]
        if self._live:
            tasks.append(asyncio.create_task(self._stop_requests.run()))
        # Unlike the others it returns, when it has done its work.
        numbering = asyncio.create_task(self._run_number.run())
        try:
            return await self._work(tasks)
        finally:
            tasks.append(numbering)
            tasks.extend(self._investigations.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close()

    async def _work(self, tasks: list[asyncio.Task[None]]) -> ShipperResult:
        quiet_since = time.monotonic()
        while not self._stopping:
            for task in tasks:
                if task.done():
                    task.result()  # raises: only the one that watches for a stop ever returns
            self._wake.clear()
            self._turn()
            if (outcome := await self._settle()) is not None:
                return outcome
            if self._gone:
                log.warning("%s was deleted", self._folder.path)
                return ShipperResult.GIVEN_UP
            if self._delivery.connected or self._lives():
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > self._settings.patience_s:
                log.warning("giving up: %s; `runstream sync` delivers the rest", self.problem)
                await self._save()
                return ShipperResult.GIVEN_UP
            await self._rest()
        await self._save()
        return ShipperResult.STOPPED

    def _turn(self) -> None:
        """Do once what is to be done again and again."""
        now = time.monotonic()
        if now - self._housekept >= self._settings.housekeeping_s or self._spool_stamp() != self._spool_changed:
            self._scan_folder()
        delivery = self._delivery
        trainers = [tail for tail in delivery.tails.values() if tail.trains and not tail.dead]
        own = delivery.tails.get(self._collector.writer.id)
        if not self._collector.writer.ended:
            self._collector.collect(trainers, pending=own.pending() if own else 0, now=now)
        if own is None and self._collector.writer.begun:
            self._scan_folder()
        if self._preempting and not self._told_preempting:
            self._told_preempting = True
            self._heartbeats.poke()
        delivery.send_exits()
        self._more = delivery.pump(_SLICE_S)
        delivery.send_exits()
        self._quiet = delivery.connected and not self._more and not delivery.in_flight
        if self._more or delivery.in_flight:
            self._busy_until = now + self._settings.busy_s

    async def _rest(self) -> None:
        if self._more or self._wake.is_set():
            await asyncio.sleep(0)  # whatever wakes us, the connections get their turn first
            return
        settings = self._settings
        hurried = time.monotonic() < self._busy_until or self._control[Word.FINISH_REQUESTED]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.busy_poll_s if hurried else settings.idle_poll_s):
                await self._wake.wait()

    # --- writers

    def _spool_stamp(self) -> int:
        try:
            return self._folder.spool.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _scan_folder(self) -> None:
        """Find new writers, and those that have died unseen; give a sign of life."""
        self._spool_changed = self._spool_stamp()
        self._gone = not self._folder.path.exists()
        self._housekept = time.monotonic()
        now = time.time()
        self._control[Word.SHIPPER_ALIVE] = int(now * 1_000_000)
        tails = self._delivery.tails
        for writer in self._folder.writers():
            if writer in tails or writer in self._closed_before:
                continue
            tail = WriterTail(self._folder, self._folder.writer_info(writer), self._host, self._trainer)
            if self._ledger.closed(writer):
                self._closed_before.add(writer)
                tail.delete_segments()  # what a shipper that was killed had no time to
            else:
                self._delivery.add(tail)
                self._heartbeats.poke()
        for tail in tails.values():
            if tail.info.id == self._collector.writer.id or tail.account.closed:
                continue
            descriptor = tail.look(now)
            if descriptor is not None:
                asyncio.get_running_loop().add_reader(descriptor, self._died, tail, descriptor)
            if tail.dead:
                self._investigate(tail)
        self._count()

    def _count(self) -> None:
        pending = self._delivery.pending()
        self._control[Word.PENDING] = pending
        if self._delivery.acked != self._control[Word.ACKED]:
            self._control[Word.LAST_ACKED] = time.time_ns() // 1000
        self._control[Word.ACKED] = self._delivery.acked
        if self._progress is not None:
            self._progress(self._delivery.acked, pending)

    def _died(self, tail: WriterTail, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        tail.notice_death()
        self._investigate(tail)

    def _investigate(self, tail: WriterTail) -> None:
        if tail.info.id not in self._investigations:
            self._investigations[tail.info.id] = asyncio.create_task(self._find_exit(tail))

    async def _find_exit(self, tail: WriterTail) -> None:
        identify = self._folder.info.identify_exit_signal
        try:
            floor = self._ledger.floor(tail.info.id)
            found = await tail.find_exit(floor, self._circumstances, identify=identify, now=time.time_ns() // 1000)
        except OSError as error:
            log.warning("%s has ended, but how cannot be noted yet: %s", tail.label, error)
            del self._investigations[tail.info.id]
            return
        tail.exit = tail.exit or found
        log.info("%s ended: %s %s", tail.label, found.ending.state.value, found.ending.reason)
        self._wake.set()

    @property
    def _preempting(self) -> bool:
        return self._control[Word.PREEMPTING] != 0

    @property
    def _circumstances(self) -> Circumstances:
        stop = self._control[Word.STOP_REQUESTED] != 0
        return Circumstances(stop=stop, preempting=self._preempting, preemptible=self._preemptible)

    def _lives(self) -> bool:
        return any(tail.lives for tail in self._delivery.tails.values())

    # --- beats, goodbyes, the end

    def _beats(self, where: Destination) -> Iterator[HeartbeatEvent]:
        for tail in self._delivery.tails.values():
            account = tail.account
            told = account.beats and account.beats_saved
            if not tail.trains or not told or tail.dead or account.exit_acked or account.closed:
                continue
            # Beats numbered below one that was seen count for nothing, so that the numbers must go on where a shipper
            # that was killed left off: the machine's clock since boot does, and its trainer was of the same boot.
            since_boot = time.monotonic_ns() // 1_000_000
            number = self._beat_numbers[tail.info.id] = max(self._beat_numbers.get(tail.info.id, 0) + 1, since_boot)
            yield beat_of(tail, where, number, preempting=self._preempting)

    def _send_goodbye(self, tail: WriterTail) -> None:
        """Say goodbye, once, for a writer whose exit is acknowledged."""
        if tail.trains and tail.info.id not in self._goodbyes_sent:
            self._goodbyes_sent.add(tail.info.id)
            self._heartbeats.send_goodbye(partial(goodbye_of, tail), partial(self._note_goodbye_acked, tail))

    def _note_goodbye_acked(self, tail: WriterTail) -> None:
        tail.account.goodbye_acked = True
        self._delivery.changed = True
        self._wake.set()

    async def _settle(self) -> ShipperResult | None:
        """Close what is delivered, save, report; return the outcome once there is nothing more to do."""
        decided = self._delivery.decide_beats(live=self._live)
        closed = [tail for tail in self._delivery.tails.values() if self._close_writer(tail)]
        due = time.monotonic() - self._saved >= self._settings.housekeeping_s and self._delivery.changed
        if closed or due or decided:
            await self._save()
        if decided:
            # Even where the disk is full and the ledger could not be written: a run that is alive must say so.
            for account in decided:
                account.beats_saved = True
            self._heartbeats.poke()
            self._wake.set()
        return await self._finish()

    def _close_writer(self, tail: WriterTail) -> bool:
        account = tail.account
        if account.closed or not account.exit_acked or tail.exit is None:
            return False
        if tail.trains and not account.goodbye_acked:
            self._send_goodbye(tail)
            return False
        if tail.delivered:
            account.closed = True
            tail.close()
        return account.closed

    async def _finish(self) -> ShipperResult | None:
        """End the own writer once it is the last; return the outcome once it, too, is delivered."""
        tails = self._delivery.tails.values()
        own = self._collector.writer
        others = [tail for tail in tails if tail.info.id != own.id]
        complete = all(tail.account.closed for tail in others) and bool(others or self._closed_before)
        await self._note_awaited(others)
        if self._collector.reading():
            return None
        if not complete and (self._live or not self._caught_up(others)):
            return None
        if not own.ended and self._run_number.awaited():
            return None
        if not own.ended:
            if complete:
                self._collector.drain()
            own.end()
            self._scan_folder()
        if any(not tail.account.closed for tail in tails if tail.info.id == own.id):
            return None
        self._ledger.complete = complete
        await self._save()
        self._write_report()
        self._count()
        if not complete:
            return ShipperResult.OPEN
        self._control[Word.PHASE] = Phase.DELIVERED
        return ShipperResult.COMPLETE

    def _record_number(self, number: int) -> None:
        """Record the number of the run in its project as if the trainer had."""
        if not self._collector.writer.ended:
            self._collector.writer.change([["attribute", "set", ["number"], number]])
        self._delivery.changed = True
        self._wake.set()

    async def _note_awaited(self, tails: list[WriterTail]) -> None:
        """Tell the trainer when only its end is missing: it waits for delivery, and must not wait for itself."""
        awaited = all(tail.account.closed or tail.awaits_end for tail in tails) and any(
            tail.awaits_end for tail in tails
        )
        if awaited and not self._control[Word.AWAITS_END]:
            await self._save()
            self._write_report()
            self._count()
        if awaited != bool(self._control[Word.AWAITS_END]):
            self._control[Word.AWAITS_END] = int(awaited)

    def _caught_up(self, tails: list[WriterTail]) -> bool:
        """Tell whether everything that living writers have written so far is delivered."""
        return self._quiet and all(tail.account.closed or (not tail.dead and tail.exit is None) for tail in tails)

    async def _save(self) -> None:
        """Write the ledger, then delete what it makes superfluous."""
        self._saved = time.monotonic()
        superfluous = self._delivery.save()
        self._ledger.console = self._collector.console_offset
        data = self._ledger.to_json()
        try:
            await asyncio.to_thread(partial(write_json, self._folder.ledger, data, durable=True))
        except OSError as error:
            # Most likely the disk is full, and these segments fill it. A ledger that lags behind is harmless: what it
            # does not know to be delivered is sent again, or marked as missing, and consumers trim either.
            log.warning("%s cannot be written: %s", self._folder.ledger.name, error)
            self._delivery.changed = True
        if superfluous:
            await asyncio.to_thread(self._summaries.cover, list(self._delivery.tails.values()), superfluous)
        for path in superfluous:
            path.unlink(missing_ok=True)
        if time.monotonic() - self._reported >= self._settings.report_s:
            self._write_report()

    def _write_report(self) -> None:
        self._reported = time.monotonic()
        if not self._report.changed:
            return
        draft = self._folder.report.with_name(".report.json.new")
        try:
            draft.write_text(self._report.dump())
            draft.replace(self._folder.report)
        except OSError as error:
            log.warning("report.json cannot be written: %s", error)

    def _close(self) -> None:
        for tail in self._delivery.tails.values():
            tail.close()
        self._collector.close()
        self._control[Word.SHIPPER_PID] = 0
        self._control.close()
