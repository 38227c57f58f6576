"""Running one service: start it, check it, restart it when it exits or does not answer, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from runstream_deploy.exceptions import ServiceError, StackError
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.log_rotation import rotate
from runstream_deploy.processes.ports import require_free
from runstream_deploy.processes.reaper import Reaper
from runstream_deploy.services.service import Service, last_lines, wait_until_ready
from runstream_deploy.stack.state import ServiceCondition, StateWriter

#: Seconds between checks of a running service.
CHECK_S = 10.0
#: Number of failed checks in a row after which a service is silent, and after which it is killed.
SILENT_AFTER = 2
KILLED_AFTER = 6
#: Seconds to wait before a restart; the last pause is repeated.
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
#: After a service has run this long, its next restart waits for the first pause again.
SETTLED_S = 60.0


class ServiceRunner:
    """Runs one service and records its condition. Call all methods in a thread that runs as long as the stack.

    The log gets the output of the service; the reaper ends the service if this process is killed.
    """

    def __init__(
        self, service: Service, log: Path, reaper: Reaper, state: StateWriter, *, check_s: float = CHECK_S
    ) -> None:
        self.service = service
        self._log = log
        self._reaper = reaper
        self._state = state
        self._check_s = check_s
        self._child: Child | None = None
        self._problem_at_start = ""

    @property
    def pid(self) -> int | None:
        """The process of the service, None if it is not running."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the service and wait for its first answer; if StackError is raised, nothing is left running."""
        self._state.set_condition(self.service.name, ServiceCondition.STARTING)
        for purpose, port in self.service.ports.items():
            require_free(port, purpose)
        await asyncio.to_thread(self.service.prepare)
        rotate(self._log)
        self._child = Child(self.service.command(), self._log, self._reaper)
        try:
            await wait_until_ready(self.service, self._child.exit_code, self._log)
        except ServiceError as error:
            self._problem_at_start = str(error)
            await self._end()
            raise
        self._state.set_condition(self.service.name, ServiceCondition.RUNNING, pid=self._child.pid)

    async def keep_running(self) -> None:
        """Restart the service whenever it exits, stops answering or cannot be started, until cancelled."""
        failures = 0
        while True:
            began = time.monotonic()
            problem = await self._wait_for_problem(self._child) if self._child else self._problem_at_start
            while problem:
                failures = 0 if time.monotonic() - began > SETTLED_S else failures
                await self._end()
                restarting = ServiceCondition.RESTARTING
                self._state.set_condition(self.service.name, restarting, problem=problem, restarted=True)
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
                began = time.monotonic()
                problem = await self._try_start()

    async def stop(self) -> None:
        """Stop the service and wait until it and its descendants have exited."""
        await self._end()
        self._state.set_condition(self.service.name, ServiceCondition.STOPPED)

    def kill(self) -> None:
        """Kill the service at once."""
        if self._child is not None:
            self._child.kill()

    async def _try_start(self) -> str:
        try:
            await self.start()
        except (StackError, OSError) as error:
            return str(error)
        return ""

    async def _wait_for_problem(self, child: Child) -> str:
        """Wait until the service exits or has not answered for too long; return a description."""
        ended = asyncio.create_task(child.ended())
        silent = asyncio.create_task(self._wait_until_silent(child))
        try:
            await asyncio.wait({ended, silent}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                return f"did not answer for {KILLED_AFTER * self._check_s:.0f} s and was killed: {silent.result()}"
            return f"{describe(ended.result())}; last lines of its log:\n{last_lines(self._log, size=500)}"
        finally:
            ended.cancel()
            silent.cancel()
            await asyncio.gather(ended, silent, return_exceptions=True)

    async def _wait_until_silent(self, child: Child) -> str:
        """Check the running service again and again; return the last problem once it has failed too often."""
        failed, problem = 0, ""
        while failed < KILLED_AFTER:
            await asyncio.sleep(self._check_s)
            with contextlib.suppress(OSError):
                rotate(self._log)
            was_silent = failed >= SILENT_AFTER
            problem = await self._problem()
            failed = failed + 1 if problem else 0
            if was_silent != (failed >= SILENT_AFTER):
                condition = ServiceCondition.SILENT if problem else ServiceCondition.RUNNING
                self._state.set_condition(self.service.name, condition, pid=child.pid, problem=problem)
        return problem

    async def _problem(self) -> str:
        try:
            async with asyncio.timeout(self._check_s):
                await self.service.check()
        except Exception as error:  # noqa: BLE001 - `status` shows it; an error in a check must not end the checks
            return str(error) or type(error).__name__
        return ""

    async def _end(self) -> None:
        if self._child is not None:
            await asyncio.to_thread(self._child.stop)
            self._child = None


def describe(code: int) -> str:
    """Describe an exit code, negative for a signal."""
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
