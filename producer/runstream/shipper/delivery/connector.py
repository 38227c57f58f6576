"""Keeping the way to the broker open: found out, connected, given up when it fails, and found out anew."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from runstream.shipper.delivery.kafka_sender import DeliveryError
from runstream.shipper.delivery.ledger import PartitionMismatchError
from runstream.shipper.delivery.route import NoServerError, Route, destination
from runstream.shipper.writers.heartbeat_sender import create_sender
from runstream.spool.control_page import Phase, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.run_folder.folder import RunFolder
    from runstream.shipper.delivery.kafka_sender import KafkaSender
    from runstream.shipper.delivery.ledger import Ledger
    from runstream.shipper.delivery.route import Destination
    from runstream.shipper.delivery.run_delivery import RunDelivery
    from runstream.shipper.settings import ShipperSettings
    from runstream.spool.control_page import ControlPage

log = logging.getLogger(__name__)


class Connector:
    """Connects the delivery of a run, again and again, with pauses that stay short.

    Args:
        folder: The run.
        environ: Names the server.
        ledger: Pins what the first delivery decides.
        settings: Deadlines and pauses.
        control: Where the trainer looks how far delivery is.
        moved: Called whenever there is something new: a connection, an acknowledgement.
        reachable: Told whether the broker can be reached.
    """

    def __init__(
        self,
        folder: RunFolder,
        environ: Mapping[str, str],
        ledger: Ledger,
        settings: ShipperSettings,
        control: ControlPage,
        *,
        moved: Callable[[], None],
        reachable: Callable[[bool], None],
    ) -> None:
        self._folder = folder
        self._info = info = folder.info
        self._route = Route(info, environ, settings.ask_deadline_s)
        self._ledger = ledger
        self._settings = settings
        self._control = control
        self._moved = moved
        self._reachable = reachable
        #: Why nothing is delivered at the moment; empty while it is.
        self.problem = ""

    async def resolve(self) -> Destination:
        """Return where the run's events go.

        Raises:
            NoServerError: Nobody says where.
            PartitionMismatchError: Not where they went before.
        """
        connection = await self._route.ask()
        account = self._ledger.account(
            connection.cluster_id,
            entity=self._info.entity or connection.entity,
            prefix=connection.prefix,
            partitions=connection.partitions,
        )
        return destination(self._info, connection, account.entity)

    async def run(self, delivery: RunDelivery) -> None:
        """Keep a delivery connected until cancelled."""
        settings = self._settings
        retry, deadline = settings.first_retry_s, settings.send_deadline_s
        while True:
            sender: KafkaSender | None = None
            try:
                where = await self.resolve()
                await self._relate(where, delivery)
                sender = create_sender(where, settings, deadline)
                await sender.start()
                retry, before = settings.first_retry_s, delivery.acked
                delivery.open(where, self._ledger.clusters[where.connection.cluster_id], sender)
                self._connected(where)
                await self._watch(sender)
                # A link so slow that nothing came through in time gets more time.
                got_on = delivery.acked > before
                deadline = settings.send_deadline_s if got_on else min(2 * deadline, settings.longest_send_deadline_s)
                self._disconnected(str(sender.error))
            except (NoServerError, DeliveryError, PartitionMismatchError) as error:
                self._disconnected(str(error))
            finally:
                delivery.shut()
                if sender is not None:
                    await sender.discard()
            await asyncio.sleep(retry)
            retry = min(2 * retry, settings.longest_retry_s)

    async def _relate(self, where: Destination, delivery: RunDelivery) -> None:
        """Find out how far the run is, if a writer of the folder did not know, and write that down for good.

        Raises:
            NoServerError: Nobody says how far it is.
        """
        unrelated = [tail for tail in delivery.tails.values() if tail.info.base is None]
        if not unrelated:
            return
        found = await self._route.resume_state(where.run)
        mine = {writer.hex() for writer in self._folder.writers()}
        earlier = [writer for writer in found["writers"] if writer["writer"] not in mine]
        last = found["last_step"]
        await asyncio.to_thread(self._folder.save_start, 0 if last is None else last + 1, earlier)
        for tail in unrelated:
            tail.info = self._folder.writer_info(tail.info.id)

    async def _watch(self, sender: KafkaSender) -> None:
        while not sender.failed.is_set():
            await sender.progress.wait()
            sender.progress.clear()
            self._moved()

    def _connected(self, where: Destination) -> None:
        self.problem = ""
        self._control[Word.PHASE] = Phase.CONNECTED
        log.info("delivering %s to %s", where.run, where.connection.brokers)
        self._reachable(True)  # noqa: FBT003 (its name says it)
        self._moved()

    def _disconnected(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            log.warning("not delivering: %s", problem)
        self._reachable(False)  # noqa: FBT003 (its name says it)
        if self._control[Word.PHASE] == Phase.CONNECTED:
            self._control[Word.PHASE] = Phase.BROKER_UNREACHABLE
