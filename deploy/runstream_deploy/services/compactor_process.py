"""The compactor, which moves rows to the object store, as a service."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import version

from runstream_consumers.compactor.lock import is_held
from runstream_deploy.processes.child import Command
from runstream_deploy.services.postgres import connected
from runstream_deploy.services.service import Service


class CompactorProcess(Service):
    """The compactor; ``environment`` has its settings (``RUNSTREAM_*``)."""

    name = "compactor"
    ports: Mapping[str, int] = {}
    start_timeout = 120.0

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.version = version("runstream")
        self._environment = environment

    def command(self) -> Command:
        """Return the command that runs it."""
        return Command(arguments=[sys.executable, "-m", "runstream_consumers.compactor"], environment=self._environment)

    async def check(self) -> None:
        """Return once a compactor works on the database; OSError while none does."""
        async with connected(self._environment["RUNSTREAM_POSTGRES"]) as connection:
            if not await is_held(connection):
                raise ConnectionError("has not begun to work")
