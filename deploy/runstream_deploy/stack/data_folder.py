"""The data folder of a stack: its files, its lock, and its free space."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from runstream.run_folder.folder import lock
from runstream_deploy.exceptions import DataFolderError
from runstream_deploy.processes.launch import started
from runstream_deploy.processes.reaper import is_running

#: With less, Kafka and Postgres would soon stop on a full disk.
LEAST_FREE_BYTES = 512 * 1024 * 1024
#: Longer than the reaper of a killed supervisor needs to end its services.
HOLD_TIMEOUT_S = 45.0


class DataFolder:
    """The files of one stack, in a folder that ``create`` creates."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.stack = self.path / "stack.json"
        self.state = self.path / "state.json"
        self.discovery = self.path / "discovery.json"
        self.lock = self.path / "supervisor.lock"

    def create(self, *, least_free: int = LEAST_FREE_BYTES) -> None:
        """Create the folder unless it exists, closed to other users.

        DataFolderError is raised if it cannot be written, or its disk has less than ``least_free`` bytes left.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise DataFolderError(f"Cannot use the data folder {self.path}: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise DataFolderError(f"The data folder {self.path} is not writable by this user")
        if free < least_free:
            raise DataFolderError(
                f"The disk of {self.path} is nearly full: {free // 2**20} MiB free, {least_free // 2**20} MiB "
                "required; free some space or choose another --data-dir"
            )

    def log(self, service: str) -> Path:
        """Return the log of a service."""
        return self.logs / f"{service}.log"

    @contextlib.contextmanager
    def hold(self, *, timeout: float = HOLD_TIMEOUT_S) -> Iterator[int]:
        """Lock the folder for one supervisor; yield the descriptor of the lock.

        The reaper of a killed supervisor keeps the lock until all services have exited, which this waits for.
        DataFolderError is raised if another supervisor uses the folder.
        """
        deadline = time.monotonic() + timeout
        while (descriptor := lock(self.lock)) is None:
            if (holder := self.supervisor()) is not None:
                raise DataFolderError(
                    f"A stack is already running on {self.path} (process {holder}); "
                    "`runstream status` shows it, `runstream down` stops it"
                )
            if time.monotonic() > deadline:
                raise DataFolderError(f"Processes that an earlier stack left running on {self.path} do not exit")
            time.sleep(0.1)
        try:
            self.lock.write_text(f"{os.getpid()} {started(os.getpid())}\n")
            yield descriptor
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Return whether a supervisor, or the reaper of a killed one, uses the folder."""
        if not self.lock.exists():
            return False
        if (descriptor := lock(self.lock)) is not None:
            os.close(descriptor)
        return descriptor is None

    def supervisor(self) -> int | None:
        """Return the pid of the supervisor that uses the folder, or None."""
        with contextlib.suppress(OSError, ValueError):
            pid, start = map(int, self.lock.read_text().split())
            if is_running(pid, start) and self.is_held():
                return pid
        return None
