"""A consumer of the entry-point group ``runstream.consumers`` as a service."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from runstream_deploy.processes.child import Command
from runstream_deploy.services.lag import assigned_partitions
from runstream_deploy.services.service import Service

GROUP = "runstream.consumers"


def registered_consumers() -> list[EntryPoint]:
    """Return the consumers that the installed packages register, by name."""
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


class ConsumerProcess(Service):
    """A registered consumer, run by the consumers' runtime; ``environment`` has its settings (``RUNSTREAM_*``)."""

    ports: Mapping[str, int] = {}
    start_timeout = 120.0

    def __init__(self, entry: EntryPoint, environment: Mapping[str, str]) -> None:
        self.name = entry.name
        self.version = entry.dist.version if entry.dist else ""
        self._environment = environment

    def command(self) -> Command:
        """Return the command that runs it."""
        arguments = [sys.executable, "-m", "runstream_consumers.runtime", self.name]
        return Command(arguments=arguments, environment=self._environment)

    async def check(self) -> None:
        """Return once the consumer has stored offsets of all partitions; OSError while it has not."""
        expected = int(self._environment["RUNSTREAM_PARTITIONS"])
        found = await assigned_partitions(self._environment["RUNSTREAM_POSTGRES"], self.name)
        if found < expected:
            raise ConnectionError(f"has offsets of {found} of {expected} partitions")
