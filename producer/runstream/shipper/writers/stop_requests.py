"""Stop requests: polled from the server, and passed to the training process by the control page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from runstream.shipper.transport.route import NoServerError, Route
from runstream.spool.control_page import ControlPage, Word
from runstream_schemas.topics import RunPath

log = logging.getLogger(__name__)

#: Seconds between two requests until the server specifies an interval, and while it does not answer.
_POLL_S = 1.0
_RETRY_S = 5.0


@dataclass(slots=True)
class StopRequestPoller:
    """Polls the server for requests to stop the run, and sets a word of the control page.

    ``get_run`` returns None until the run's entity is resolved; ``get_writers`` returns those that are running.
    """

    route: Route
    control: ControlPage
    get_run: Callable[[], RunPath | None]
    get_writers: Callable[[], Collection[bytes]]
    #: A stop was requested.
    requested: bool = False

    async def run(self) -> None:
        """Poll until a stop is requested."""
        pause = _POLL_S
        self.requested = self.control[Word.STOP_REQUESTED] != 0
        while not self.requested:
            await asyncio.sleep(pause)
            pause = await self._poll()

    async def _poll(self) -> float:
        """Poll once; return the seconds until the next request."""
        run = self.get_run()
        if run is None or not self.get_writers():
            return _POLL_S
        try:
            asked = await self.route.stop_requests(run)
        except NoServerError as error:
            log.debug("cannot poll for stop requests: %s", error)
            return _RETRY_S
        if asked.includes(self.get_writers()):
            log.info("the run was deleted" if asked.deleted else "a stop of the run was requested")
            self.requested = True
            self.control[Word.STOP_REQUESTED] = 1
        return asked.ask_again_s
