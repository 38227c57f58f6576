"""Stop requests: polled from the server, and passed to the training process by the control page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from runstream.shipper.transport.route import NoServerError, Route
from runstream.spool.control_page import ControlPage, Word
from runstream_schemas.topics import RunPath

log = logging.getLogger(__name__)

#: Seconds between two requests until the server specifies an interval, and while it does not answer.
_POLL_S = 1.0
_RETRY_S = 5.0


class StopRequestPoller:
    """Polls the server for requests to stop the run, and sets a word of the control page.

    ``run`` returns None until the run's entity is resolved; ``writers`` returns those that are running.
    """

    def __init__(
        self,
        route: Route,
        control: ControlPage,
        *,
        run: Callable[[], RunPath | None],
        writers: Callable[[], Collection[bytes]],
    ) -> None:
        self._route = route
        self._control = control
        self._run = run
        self._writers = writers

    async def run(self) -> None:
        """Poll until a stop is requested."""
        pause = _POLL_S
        while not self._control[Word.STOP_REQUESTED]:
            await asyncio.sleep(pause)
            pause = await self._poll()

    async def _poll(self) -> float:
        """Poll once; return the seconds until the next request."""
        run = self._run()
        if run is None or not self._writers():
            return _POLL_S
        try:
            asked, pause = await self._route.stop_request(run)
        except NoServerError as error:
            log.debug("cannot poll for stop requests: %s", error)
            return _RETRY_S
        if not asked.isdisjoint(self._writers()):
            log.info("a stop of the run was requested")
            self._control[Word.STOP_REQUESTED] = 1
        return pause
