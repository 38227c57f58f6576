"""A consumer of the entry-point group ``runstream.consumers`` as a service."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from runstream_deploy.processes.child import Command
from runstream_deploy.services.lag import assigned_partitions

GROUP = "runstream.consumers"


def registered_consumers() -> list[EntryPoint]:
    """Return the consumers that the installed packages register, by name."""
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


class ConsumerProcess:
    """A consumer, run by the runtime of the consumers.

    Args:
        entry: Its registration.
        environment: Settings (``RUNSTREAM_*``).
    """

    start_timeout = 120.0

    def __init__(self, entry: EntryPoint, environment: Mapping[str, str]) -> None:
        self.name = entry.name
        self.version = entry.dist.version if entry.dist else ""
        self.ports: Mapping[str, int] = {}
        self._environment = environment

    def prepare(self) -> None:
        """Do nothing: the runtime migrates the consumer's tables itself."""

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
