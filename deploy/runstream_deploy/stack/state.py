"""The state of the supervisor and its services, written to ``state.json`` at every change."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from enum import StrEnum

from pydantic import BaseModel, Field, ValidationError

from runstream.run_folder.json_files import write_file
from runstream_deploy.stack.data_folder import DataFolder


class StackPhase(StrEnum):
    """The phase of the stack."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class ServiceCondition(StrEnum):
    """The condition of a service."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    #: The process runs but does not answer.
    SILENT = "silent"
    #: A consumer that does not store anything although messages wait.
    STALLED = "stalled"
    #: The process exited and is restarted after a pause.
    RESTARTING = "restarting"
    STOPPED = "stopped"
    #: Named by the settings and run by someone else.
    EXTERNAL = "outside"


HEALTHY = {ServiceCondition.RUNNING, ServiceCondition.EXTERNAL}


class ServiceState(BaseModel):
    """One row of ``runstream status``."""

    name: str
    condition: ServiceCondition = ServiceCondition.WAITING
    version: str = ""
    address: str = ""
    pid: int | None = None
    #: Number of restarts since the stack started.
    restarts: int = 0
    #: When its condition last changed, in seconds since 1970; 0 if it has not.
    since: float = 0.0
    #: Why it is not running, or why it was last restarted.
    problem: str = ""


class StackState(BaseModel):
    """The whole file."""

    version: int = 1
    phase: StackPhase = StackPhase.STARTING
    #: The current activity, in one line.
    message: str = ""
    pid: int
    url: str = ""
    #: The settings of the services. Contains secrets: the file is closed to other users.
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    services: dict[str, ServiceState] = Field(default_factory=dict)


class StateWriter:
    """Keeps the state, writes it to ``state.json``, and calls a listener after every change."""

    def __init__(self, folder: DataFolder, listener: Callable[[StackState], None] | None = None) -> None:
        self._folder = folder
        self._listener = listener
        self.state = StackState(pid=os.getpid())

    def add_service(self, service: ServiceState) -> None:
        """Add a service."""
        self.state.services[service.name] = service
        self._changed()

    def set_condition(
        self,
        name: str,
        condition: ServiceCondition,
        *,
        pid: int | None = None,
        problem: str | None = None,
        restarted: bool = False,
    ) -> None:
        """Set the condition of a service; without ``problem`` the last one is kept."""
        row = self.state.services[name]
        self.state.services[name] = row.model_copy(
            update={
                "condition": condition,
                "pid": pid,
                "since": time.time(),
                "restarts": row.restarts + restarted,
                "problem": row.problem if problem is None else problem,
            }
        )
        self._changed()

    def set_phase(self, phase: StackPhase, message: str = "", *, url: str | None = None) -> None:
        """Set the phase of the stack."""
        self.state.phase, self.state.message = phase, message
        if url is not None:
            self.state.url = url
        self._changed()

    def report(self, message: str) -> None:
        """Set the current activity."""
        self.set_phase(self.state.phase, message)

    def _changed(self) -> None:
        write_file(self._folder.state, self.state.model_dump_json(indent=2).encode())
        if self._listener is not None:
            self._listener(self.state)


def read_state(folder: DataFolder) -> StackState | None:
    """Return what the last supervisor wrote, or None if there is no file that this release can read."""
    with contextlib.suppress(OSError, ValidationError):
        return StackState.model_validate_json(folder.state.read_text())
    return None
