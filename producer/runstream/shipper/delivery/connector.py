"""Keeping a run connected to its broker: resolve, connect, and after a failure start again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from runstream.run_folder.folder import RunFolder
from runstream.shipper.delivery.run_delivery import RunDelivery
from runstream.shipper.ledger.ledger import Ledger, PartitionMismatchError
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.kafka_sender import DeliveryError, KafkaSender
from runstream.shipper.transport.route import Destination, NoServerError, Route, destination_of
from runstream.spool.control_page import Phase, Word

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Connector:
    """Connects the delivery of a run, as often as needed, with short pauses.

    ``moved`` is called when something changed: a connection, an acknowledgement, a failure; ``reachable`` is set while
    the broker can be reached.
    """

    folder: RunFolder
    route: Route
    ledger: Ledger
    settings: ShipperSettings
    moved: Callable[[], None]
    reachable: asyncio.Event
    #: Why nothing is delivered at the moment; empty while it is.
    problem: str = ""
    #: The server refuses the key, so that asking again does not help soon.
    refused: bool = False
    phase: Phase = Phase.CONNECTING

    async def resolve(self) -> Destination:
        """Return where the run's events go; raise NoServerError or PartitionMismatchError if that is unknown."""
        connection = await self.route.connect()
        account = self.ledger.account(
            connection.cluster_id,
            entity=self.folder.info.entity or connection.entity,
            prefix=connection.prefix,
            partitions=connection.partitions,
        )
        return destination_of(self.folder.info, connection, account.entity)

    async def run(self, delivery: RunDelivery) -> None:
        """Keep a delivery connected until cancelled."""
        settings = self.settings
        pause, deadline = settings.first_retry_s, settings.send_deadline_s
        while True:
            sender: KafkaSender | None = None
            try:
                where = await self.resolve()
                await self._resolve_bases(where, delivery)
                sender = KafkaSender(where, settings, deadline, changed=self.moved)
                await sender.start()
                pause, before = settings.first_retry_s, delivery.acked
                delivery.open(where, self.ledger.clusters[where.connection.cluster_id], sender)
                self._note_connected(where)
                await sender.failed.wait()
                # A link so slow that nothing was acknowledged in time gets a longer deadline.
                progressed = delivery.acked > before
                longest = settings.longest_send_deadline_s
                deadline = settings.send_deadline_s if progressed else min(2 * deadline, longest)
                self._note_problem(str(sender.error))
            except (NoServerError, DeliveryError, PartitionMismatchError, OSError) as error:
                self._note_problem(str(error))
                self.refused = getattr(error.__cause__, "status", 0) in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
            finally:
                delivery.shut()
                if sender is not None:
                    await sender.discard()
            await asyncio.sleep(pause)
            pause = min(2 * pause, settings.longest_retry_s)

    async def _resolve_bases(self, where: Destination, delivery: RunDelivery) -> None:
        """Find out the last step of the run, if a writer of the folder did not know it, and store it permanently."""
        relative = [tail for tail in delivery.tails.values() if tail.info.base is None]
        if not relative:
            return
        found = await self.route.resume_state(where.run)
        mine = {writer.hex() for writer in self.folder.writers()}
        earlier = [writer for writer in found["writers"] if writer["writer"] not in mine]
        last = found["last_step"]
        await asyncio.to_thread(self.folder.save_start, 0 if last is None else last + 1, earlier)
        for tail in relative:
            tail.info = self.folder.writer_info(tail.info.id)

    def _note_connected(self, where: Destination) -> None:
        self.problem = ""
        self._enter(Phase.CONNECTED)
        log.info("delivering %s to %s", where.run, where.connection.brokers)
        self.reachable.set()
        self.moved()

    def _note_problem(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            log.warning("not delivering: %s", problem)
        self.reachable.clear()
        match self.phase:
            case Phase.CONNECTED:
                self._enter(Phase.BROKER_UNREACHABLE)
            case Phase.CONNECTING:
                self._enter(Phase.NEVER_CONNECTED)

    def _enter(self, phase: Phase) -> None:
        self.folder.control[Word.PHASE] = self.phase = phase
