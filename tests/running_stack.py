"""A local stack for the tests, started with ``runstream up``, with liveness timeouts of seconds."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_deploy.processes.child import Child, Command
from runstream_deploy.services.service import last_lines
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.state import StackPhase, StackState, read_state
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper

#: Heartbeats, ticks and timeouts of seconds instead of minutes.
FAST: Mapping[str, str] = {
    "RUNSTREAM_HEARTBEAT_S": "0.5",
    "RUNSTREAM_TICK_S": "0.5",
    "RUNSTREAM_STALE_S": "2",
    "RUNSTREAM_LIVENESS_TIMEOUT_S": "6",
    # Every longer run of the tests is read from the archive, at least in part.
    "RUNSTREAM_COMPACT_ROWS": "300",
    "RUNSTREAM_COMPACT_INTERVAL_S": "0.5",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack."""

    url: str
    token: str
    entity: str
    data_dir: Path
    #: The environment of programs that use this stack.
    environment: dict[str, str]

    def state(self) -> StackState:
        """Return the state that the supervisor reports."""
        state = read_state(DataFolder(self.data_dir))
        assert state is not None
        return state

    def pid(self, service: str) -> int:
        """Return the process id of a running service: kafka, postgres, s3, api or the name of a consumer."""
        pid = self.state().services[service].pid
        assert pid is not None
        return pid


def clean_environment() -> dict[str, str]:
    """Return the environment without variables that select another stack."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RUNSTREAM_", "WANDB_"))}


@contextmanager
def running_stack(data_dir: Path, reaper: Reaper, settings: Mapping[str, str] = FAST) -> Iterator[Stack]:
    """Run ``runstream up`` on a data folder until the block ends."""
    folder = DataFolder(data_dir)
    log = data_dir.parent / f"{data_dir.name}-up.log"
    arguments = [sys.executable, "-m", "runstream_deploy", "up", "--data-dir", str(data_dir)]
    child = Child(Command(arguments=arguments, environment=settings), log, reaper, base=clean_environment())
    try:
        eventually(lambda: _is_running(folder, child, log), within=180)
        found = json.loads(folder.discovery.read_text())
        yield Stack(
            url=found["url"],
            token=found["token"],
            entity=found["entity"],
            data_dir=folder.path,
            environment={**clean_environment(), **settings, "RUNSTREAM_DATA_DIR": str(folder.path)},
        )
    finally:
        child.stop(within=120)


def _is_running(folder: DataFolder, child: Child, log: Path) -> bool:
    if child.exit_code() is not None:
        raise RuntimeError(f"runstream up exited:\n{last_lines(log)}")
    state = read_state(folder)
    return state is not None and state.pid == child.pid and state.phase is StackPhase.RUNNING
