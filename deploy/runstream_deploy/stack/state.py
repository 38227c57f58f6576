"""What the supervisor knows of its services, written to ``state.json`` at every change for others to read."""

from __future__ import annotations

import contextlib
import os
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, ValidationError

from runstream_deploy.stack.data_folder import DataFolder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Phase(StrEnum):
    """How far the stack is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Condition(StrEnum):
    """How a service does."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    #: Its process runs but does not answer.
    SILENT = "silent"
    #: It ended and is started again after a pause.
    RESTARTING = "restarting"
    STOPPED = "stopped"
    #: Not started here: the settings name one that runs elsewhere.
    OUTSIDE = "outside"


class ServiceState(BaseModel):
    """One row of ``runstream status``."""

    name: str
    condition: Condition = Condition.WAITING
    version: str = ""
    address: str = ""
    pid: int | None = None
    #: How often it ended unasked since the stack started.
    restarts: int = 0
    #: When it last came to its condition, seconds since 1970.
    since: float = 0.0
    #: Why it is not running, or why it was last started again.
    problem: str = ""


class StackState(BaseModel):
    """The whole file."""

    version: int = 1
    phase: Phase = Phase.STARTING
    #: What is going on, in a line.
    message: str = ""
    pid: int
    url: str = ""
    #: What the services were told; the file is closed to other users.
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    services: dict[str, ServiceState] = Field(default_factory=dict)


class Board:
    """Keeps the state, writes it down, and tells whoever listens.

    Args:
        folder: Where ``state.json`` lies.
        listener: Called after every change.
    """

    def __init__(self, folder: DataFolder, listener: Callable[[StackState], None] | None = None) -> None:
        self._folder = folder
        self._listener = listener
        self.state = StackState(pid=os.getpid())

    def told(self, environment: Mapping[str, str]) -> None:
        """Keep what the services are told, for whoever wants to speak to them."""
        self.state.environment = dict(environment)

    def add(self, name: str, *, version: str, address: str, condition: Condition = Condition.WAITING) -> None:
        """Show a service."""
        self.state.services[name] = ServiceState(name=name, version=version, address=address, condition=condition)
        self._changed()

    def service(
        self,
        name: str,
        condition: Condition,
        *,
        pid: int | None = None,
        problem: str | None = None,
        restarted: bool = False,
    ) -> None:
        """Show a service's new condition; without ``problem`` the last one stays to be seen."""
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

    def phase(self, phase: Phase, message: str = "", *, url: str | None = None) -> None:
        """Show how far the stack is."""
        self.state.phase, self.state.message = phase, message
        if url is not None:
            self.state.url = url
        self._changed()

    def report(self, message: str) -> None:
        """Show what is going on."""
        self.phase(self.state.phase, message)

    def _changed(self) -> None:
        write_private(self._folder.state, self.state.model_dump_json(indent=2))
        if self._listener is not None:
            self._listener(self.state)


def read_state(folder: DataFolder) -> StackState | None:
    """Return what the last supervisor wrote, None where none did or the file is of another release."""
    with contextlib.suppress(OSError, ValidationError):
        return StackState.model_validate_json(folder.state.read_text())
    return None
