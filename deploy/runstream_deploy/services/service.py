"""What the supervisor asks of a service, and the wait for its first answer."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Protocol

from runstream_deploy.exceptions import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream_deploy.processes.child import Child, Command


class Service(Protocol):
    """A server or consumer of the stack."""

    @property
    def name(self) -> str:
        """One word; also the name of its log."""

    @property
    def version(self) -> str:
        """The version of the program."""

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports that must be free before the start, by what they are for."""

    @property
    def patience(self) -> float:
        """Seconds that a start may take."""

    def prepare(self) -> None:
        """Make on disk what the service needs; called before each start of the stack, may take seconds."""

    def command(self) -> Command:
        """Return how the service is started."""

    async def check(self) -> None:
        """Return once the service has answered in its own protocol; raises OSError where it does not."""


async def answered(service: Service, child: Child, log: Path) -> None:
    """Wait until a started service answers.

    Raises:
        ServiceFailed: it ended, or gave no answer within its patience.
    """
    deadline = time.monotonic() + service.patience
    while True:
        try:
            async with asyncio.timeout(10):
                await service.check()
        except OSError as error:
            if (code := child.exit_code()) is not None:
                raise ServiceFailed(service.name, f"ended with code {code}", last_lines(log)) from error
            if time.monotonic() > deadline:
                problem = f"gave no answer within {service.patience:.0f} s ({error})"
                raise ServiceFailed(service.name, problem, last_lines(log)) from error
            await asyncio.sleep(0.05)
        else:
            return


def last_lines(log: Path, *, size: int = 2000) -> str:
    """Return the end of a log, from the start of a line; empty where there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        text = file.read().decode(errors="replace")
    return text if len(text) < size else text.partition("\n")[2]
