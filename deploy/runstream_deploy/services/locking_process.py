"""The processes that write archives, of which one works at a time, as services."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import version

from runstream_consumers.runtime.postgres.process_lock import ProcessLock, is_held
from runstream_deploy.processes.child import Command
from runstream_deploy.services.postgres import connected
from runstream_deploy.services.service import Service


class LockingProcess(Service):
    """A process that works while it holds its lock; ``environment`` has its settings (``RUNSTREAM_*``)."""

    ports: Mapping[str, int] = {}
    start_timeout = 120.0

    def __init__(self, lock: ProcessLock, environment: Mapping[str, str]) -> None:
        self.name = lock.name.lower()
        self.version = version("runstream")
        self._lock = lock
        self._environment = environment

    def command(self) -> Command:
        """Return the command that runs it."""
        arguments = [sys.executable, "-m", f"runstream_consumers.{self.name}"]
        return Command(arguments=arguments, environment=self._environment)

    async def check(self) -> None:
        """Return once a process works on the database; OSError while none does."""
        async with connected(self._environment["RUNSTREAM_POSTGRES"]) as connection:
            if not await is_held(connection, self._lock):
                raise ConnectionError("has not begun to work")
