"""The life of one service: started, looked after, started again after a pause when it ends, stopped."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from runstream_deploy.exceptions import ServiceFailed, StackError
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import require_free
from runstream_deploy.processes.rotation import rotate
from runstream_deploy.services.service import answered, last_lines
from runstream_deploy.stack.state import Condition

if TYPE_CHECKING:
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.service import Service
    from runstream_deploy.stack.state import Board

#: Seconds between two looks at a running service.
LOOK_S = 10.0
#: Looks in a row without an answer after which a service is called silent, and after which it is killed.
SILENT_AFTER = 2
KILLED_AFTER = 6
#: Pauses before a new start, seconds; the last one is repeated for as long as it takes.
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
#: A service that ran this long starts again with the first pause.
SETTLED_S = 60.0


class Watch:
    """Looks after one service; all methods are called in the thread that lives as long as the stack.

    Args:
        service: What is run.
        log: Where its output goes.
        reaper: Ends it should this process be killed.
        board: Shows how it does.
    """

    def __init__(self, service: Service, log: Path, reaper: Reaper, board: Board) -> None:
        self.service = service
        self._log = log
        self._reaper = reaper
        self._board = board
        self._child: Child | None = None
        self._problem_at_start = ""

    @property
    def pid(self) -> int | None:
        """The service's process, None where none runs."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the service and wait for its first answer.

        Raises:
            StackError: it could not be started; nothing is left running.
        """
        self._board.service(self.service.name, Condition.STARTING)
        for purpose, port in self.service.ports.items():
            require_free(port, purpose)
        await asyncio.to_thread(self.service.prepare)
        rotate(self._log)
        self._child = Child(self.service.command(), self._log, self._reaper)
        try:
            await answered(self.service, self._child, self._log)
        except ServiceFailed as error:
            self._problem_at_start = str(error)
            await self._end()
            raise
        self._board.service(self.service.name, Condition.RUNNING, pid=self._child.pid)

    async def keep(self) -> None:
        """Keep the service running until cancelled; one that could not be started is tried again."""
        failures = 0
        while True:
            began = time.monotonic()
            problem = await self._ended(self._child) if self._child else self._problem_at_start
            while problem:
                failures = 0 if time.monotonic() - began > SETTLED_S else failures
                await self._end()
                self._board.service(self.service.name, Condition.RESTARTING, problem=problem, restarted=True)
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
                began = time.monotonic()
                problem = await self._start_again()

    async def stop(self) -> None:
        """Stop the service and wait until it is gone, with all that it started."""
        await self._end()
        self._board.service(self.service.name, Condition.STOPPED)

    def kill(self) -> None:
        """Kill the service at once."""
        if self._child is not None:
            self._child.kill()

    async def _start_again(self) -> str:
        try:
            await self.start()
        except (StackError, OSError) as error:
            return str(error)
        return ""

    async def _ended(self, child: Child) -> str:
        """Wait until the running service ends or stays silent too long; return which, in words."""
        ended = asyncio.create_task(child.ended())
        silent = asyncio.create_task(self._silent())
        try:
            await asyncio.wait({ended, silent}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                return f"gave no answer for {KILLED_AFTER * LOOK_S:.0f} s and was killed"
            return f"{describe(ended.result())}; the end of its log:\n{last_lines(self._log, size=500)}"
        finally:
            ended.cancel()
            silent.cancel()
            await asyncio.gather(ended, silent, return_exceptions=True)

    async def _silent(self) -> None:
        """Look at the running service; return when it has not answered for too long."""
        missed = 0
        while missed < KILLED_AFTER:
            await asyncio.sleep(LOOK_S)
            rotate(self._log)
            was_silent = missed >= SILENT_AFTER
            problem = await self._problem()
            missed = missed + 1 if problem else 0
            if self._child and was_silent != (missed >= SILENT_AFTER):
                condition = Condition.SILENT if problem else Condition.RUNNING
                self._board.service(self.service.name, condition, pid=self._child.pid, problem=problem)

    async def _problem(self) -> str:
        try:
            async with asyncio.timeout(LOOK_S):
                await self.service.check()
        except OSError as error:
            return str(error) or type(error).__name__
        return ""

    async def _end(self) -> None:
        if self._child is not None:
            await asyncio.to_thread(self._child.stop)
            self._child = None


def describe(code: int) -> str:
    """Return how a process ended, in words."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
