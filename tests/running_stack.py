"""A whole local stack for the tests: started as a user would, in a folder of its own, with liveness in seconds."""

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
from runstream_deploy.stack.state import Phase, StackState, read_state
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper

#: Beats, ticks and timeouts of seconds where real ones are minutes.
FAST: Mapping[str, str] = {
    "RUNSTREAM_HEARTBEAT_S": "0.5",
    "RUNSTREAM_TICK_S": "0.5",
    "RUNSTREAM_STALE_S": "2",
    "RUNSTREAM_LIVENESS_TIMEOUT_S": "6",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that answers."""

    url: str
    token: str
    entity: str
    data_dir: Path
    #: To run programs with that find this stack.
    environment: dict[str, str]

    def state(self) -> StackState:
        """Return what its supervisor says now."""
        state = read_state(DataFolder(self.data_dir))
        assert state is not None
        return state

    def pid(self, service: str) -> int:
        """Return the process id of a running service: kafka, postgres, s3, api or a consumer's name."""
        pid = self.state().services[service].pid
        assert pid is not None
        return pid


def clean_environment() -> dict[str, str]:
    """Return the environment without what would point programs at another stack."""
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
        child.stop(within=60)


def _is_running(folder: DataFolder, child: Child, log: Path) -> bool:
    if child.exit_code() is not None:
        raise RuntimeError(f"runstream up ended:\n{last_lines(log)}")
    state = read_state(folder)
    return state is not None and state.pid == child.pid and state.phase is Phase.RUNNING
