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
from tests.running_stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_deploy.processes.reaper import Reaper


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory, reaper: Reaper) -> Iterator[Stack]:
    """Run a stack for this module only, whose restarts disturb no other tests."""
    with running_stack(tmp_path_factory.mktemp("own") / "data", reaper) as stack:
        yield stack


@pytest.mark.parametrize(
    "service", ["s3", "api", "history", "summary", "liveness", "alerts", "artifacts", "files", "postgres", "kafka"]
)
def test_killed_service_is_restarted(own_stack: Stack, service: str) -> None:
    """After SIGKILL the service runs again as another process; the state has the restart and its reason."""
    before, restarts = own_stack.pid(service), own_stack.state().services[service].restarts
    os.kill(before, signal.SIGKILL)

    def restarted() -> bool:
        row = own_stack.state().services[service]
        return row.condition is ServiceCondition.RUNNING and row.pid not in (None, before)

    eventually(restarted, within=120)
    row = own_stack.state().services[service]
    assert row.restarts == restarts + 1
    assert "was killed by signal 9" in row.problem


def test_killed_reaper_is_replaced(own_stack: Stack) -> None:
    """The supervisor starts another reaper."""
    supervisor = own_stack.state().pid

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
