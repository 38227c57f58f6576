"""The number of a run in its project, requested at delivery if no server answered when the run began."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runstream.run_folder.descriptions import RunInfo
from runstream.shipper.ledger.ledger import Ledger, PartitionMismatchError
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.route import Destination, NoServerError, Route

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RunNumberResolver:
    """Requests the run's number until the server answers, and records it.

    The server assigns a run its number only once, so requesting it again after a crash is harmless. The ledger keeps
    the number, so that it is recorded once.
    """

    info: RunInfo
    route: Route
    settings: ShipperSettings
    ledger: Ledger
    resolve: Callable[[], Awaitable[Destination]]
    record: Callable[[int], None]
    _awaited_since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether the run still needs a number."""
        return self.info.wants_number and self.ledger.number is None

    def awaited(self) -> bool:
        """Whether the end of delivery still waits for the number, which it does for a limited time."""
        if not self.pending:
            return False
        self._awaited_since = self._awaited_since or time.monotonic()
        return time.monotonic() - self._awaited_since < self.settings.number_patience_s

    async def run(self) -> None:
        """Request the number until the server answers."""
        pause = self.settings.first_retry_s
        while self.pending:
            try:
                number = await self.route.run_number((await self.resolve()).run)
                self.record(number)
            except (NoServerError, PartitionMismatchError, OSError) as error:
                log.debug("cannot get the number of the run yet: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, self.settings.longest_retry_s)
            else:
                self.ledger.number = number
                log.info("the run is number %d of its project", number)
