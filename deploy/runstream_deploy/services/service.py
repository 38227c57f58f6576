"""The interface of a service, and the wait until it is ready."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from runstream_deploy.exceptions import ServiceError
from runstream_deploy.processes.child import Command


class Service(Protocol):
    """A server, a consumer or the API."""

    @property
    def name(self) -> str:
        """One word; also the name of its log."""

    @property
    def version(self) -> str:
        """The version of the program."""

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports that must be free before a start, by purpose."""

    @property
    def start_timeout(self) -> float:
        """Time limit of a start, in seconds."""

    def prepare(self) -> None:
        """Create the files that the service needs; called before each start, may take seconds."""

    def command(self) -> Command:
        """Return the command that runs the service."""

    async def check(self) -> None:
        """Return once the service has answered in its own protocol; raise OSError if it does not."""


async def wait_until_ready(service: Service, exit_code: Callable[[], int | None], log: Path) -> None:
    """Wait until a service that was started answers; ``exit_code`` returns None while its process runs.

    Raises:
        ServiceError: It exited, or did not answer within its time limit.
    """
    deadline = time.monotonic() + service.start_timeout
    while True:
        try:
            async with asyncio.timeout(10):
                await service.check()
        except OSError as error:
            if (code := exit_code()) is not None:
                raise ServiceError(service.name, f"exited with code {code}", last_lines(log)) from error
            if time.monotonic() > deadline:
                problem = f"did not answer within {service.start_timeout:.0f} s ({error})"
                raise ServiceError(service.name, problem, last_lines(log)) from error
            await asyncio.sleep(0.05)
        else:
            return


def last_lines(log: Path, *, size: int = 2000) -> str:
    """Return the last lines of a log; empty if it does not exist."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        text = file.read().decode(errors="replace")
    return text if len(text) < size else text.partition("\n")[2]
