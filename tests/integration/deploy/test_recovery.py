"""Recovery of the local stack from killed services and a killed reaper."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.processes.reaper import descendants, is_running
from runstream_deploy.stack.state import ServiceCondition
from tests.integration.deploy.stacks import arguments_of
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.running_stack import Stack


@pytest.mark.parametrize(
    "service",
    ["s3", "api", "history", "summary", "liveness", "alerts", "artifacts", "files", "compactor", "postgres", "kafka"],
)
def test_killed_service_is_restarted(stack: Stack, service: str) -> None:
    """After SIGKILL the service runs again as another process; the state has the restart and its reason."""
    before, restarts = stack.pid(service), stack.state().services[service].restarts
    os.kill(before, signal.SIGKILL)

    def restarted() -> bool:
        row = stack.state().services[service]
        return row.condition is ServiceCondition.RUNNING and row.pid not in (None, before)

    eventually(restarted, within=120)
    row = stack.state().services[service]
    assert row.restarts == restarts + 1
    assert "was killed by signal 9" in row.problem


def test_killed_reaper_is_replaced(stack: Stack) -> None:
    """The supervisor starts another reaper."""
    supervisor = stack.state().pid

    def reaper() -> tuple[int, int] | None:
        for pid, start in descendants(supervisor):
            if b"reaper.py" in arguments_of(pid):
                return pid, start
        return None

    before = eventually(reaper)
    assert before is not None
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: reaper() not in (None, before))
    assert not is_running(*before)
