"""Running one service: checks, restarts, and errors in a check."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.processes.child import Command
from runstream_deploy.services.service import Service
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.service_runner import KILLED_AFTER, ServiceRunner
from runstream_deploy.stack.state import ServiceCondition, ServiceState, StateWriter
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper


class Sleeper(Service):
    """A service that runs until it is stopped; its checks fail with the given error once it is set."""

    name, version, start_timeout = "sleeper", "1", 10.0
    ports: Mapping[str, int] = {}

    def __init__(self) -> None:
        self.error: Exception | None = None

    def prepare(self) -> None:
        """Do nothing."""
        self.error = None

    def command(self) -> Command:
        """Return a command that runs for minutes."""
        return Command(arguments=["sleep", "600"])

    async def check(self) -> None:
        """Raise the error, if any."""
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [ConnectionError("refused"), ValueError("a mistake in the check")])
async def test_service_whose_checks_fail_is_restarted(tmp_path: Path, reaper: Reaper, error: Exception) -> None:
    """After six failed checks the service is restarted; errors other than OSError neither pass nor end the checks."""
    folder, service = DataFolder(tmp_path), Sleeper()
    state = StateWriter(folder)
    state.add_service(ServiceState(name=service.name))
    runner = ServiceRunner(service, tmp_path / "log", reaper, state, check_s=0.02)
    await runner.start()
    first = runner.pid
    keeping = asyncio.create_task(runner.keep_running())
    try:
        service.error = error
        await eventually_async(lambda: _is_restarted(state))
        row = state.state.services[service.name]
        assert runner.pid not in {None, first}
        assert row.problem == f"did not answer for {KILLED_AFTER * 0.02:.0f} s and was killed: {error}"
        assert not keeping.done()
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await runner.stop()


async def _is_restarted(state: StateWriter) -> bool:
    row = state.state.services["sleeper"]
    return (row.condition, row.restarts) == (ServiceCondition.RUNNING, 1)
