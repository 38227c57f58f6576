"""The way back: the server says that somebody wants the run to be stopped, and the trainer finds it on its page."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from runstream.exceptions import CommError
from runstream.server.discovery import resolve_server
from runstream.server.endpoints import fetch_stop_request
from runstream.spool.control_page import Word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from runstream.spool.control_page import ControlPage
    from runstream_schemas.topics import RunPath

log = logging.getLogger(__name__)

#: Seconds between two questions before the server has said how often to ask, and while it does not answer.
_ASK_AGAIN_S = 1.0
_RETRY_S = 5.0


class StopRequestPoller:
    """Asks the server again and again whether somebody wants the run to be stopped.

    Args:
        url: The address that the run was given; None for that of the environment.
        environ: Names the server.
        control: Where the trainer looks.
        deadline_s: How long the server may take to answer.
        run: Returns the run, once it is known whose it is.
        writers: Returns the writers that live.
    """

    def __init__(
        self,
        url: str | None,
        environ: Mapping[str, str],
        control: ControlPage,
        deadline_s: float,
        *,
        run: Callable[[], RunPath | None],
        writers: Callable[[], Collection[bytes]],
    ) -> None:
        self._url = url
        self._environ = environ
        self._control = control
        self._deadline_s = deadline_s
        self._run = run
        self._writers = writers

    async def run(self) -> None:
        """Ask until a stop is asked for."""
        pause = _ASK_AGAIN_S
        while not self._control[Word.STOP_REQUESTED]:
            await asyncio.sleep(pause)
            pause = await self._ask()

    async def _ask(self) -> float:
        """Ask once; return after how many seconds to ask again."""
        server, run = resolve_server(self._environ, self._url), self._run()
        if server is None or run is None or not self._writers():
            return _ASK_AGAIN_S
        try:
            asked, pause = await asyncio.to_thread(fetch_stop_request, server, run, self._deadline_s)
        except CommError as error:
            log.debug("not known whether the run is to be stopped: %s", error)
            return _RETRY_S
        if not asked.isdisjoint(self._writers()):
            log.info("somebody asked for the run to be stopped")
            self._control[Word.STOP_REQUESTED] = 1
        return pause
