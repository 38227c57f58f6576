"""The HTTP API, which also serves the pages, as a service."""

from __future__ import annotations

import asyncio
import http.client
import sys
from collections.abc import Mapping
from importlib.metadata import version

from runstream_deploy.processes.child import Command
from runstream_deploy.processes.ports import LOOPBACK
from runstream_deploy.services.service import Service


class ApiProcess(Service):
    """The API on a loopback port; ``environment`` has its settings (``RUNSTREAM_*``)."""

    name = "api"
    start_timeout = 60.0

    def __init__(self, port: int, environment: Mapping[str, str]) -> None:
        self.port = port
        self.ports = {self.name: port}
        self.url = f"http://{LOOPBACK}:{port}"
        self.version = version("runstream")
        self._environment = environment

    def command(self) -> Command:
        """Return the command that runs it."""
        return Command(
            arguments=[sys.executable, "-m", "runstream_consumers.server"],
            environment={
                **self._environment,
                "RUNSTREAM_API_HOST": LOOPBACK,
                "RUNSTREAM_API_PORT": str(self.port),
                "RUNSTREAM_PUBLIC_URL": self._environment.get("RUNSTREAM_PUBLIC_URL") or self.url,
            },
        )

    async def check(self) -> None:
        """Return once it answers ``/healthz``; OSError if it does not."""
        status = await asyncio.to_thread(self._ask)
        if status != http.HTTPStatus.OK:
            raise ConnectionError(f"/healthz answers {status}")

    def _ask(self) -> int:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
