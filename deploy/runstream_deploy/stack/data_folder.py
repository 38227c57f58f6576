"""The data folder of a stack: its files, its lock, and its free space."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from runstream_deploy.exceptions import DataFolderError
from runstream_deploy.processes.launch import started
from runstream_deploy.processes.reaper import is_running

#: With less, Kafka and Postgres would soon stop on a full disk.
LEAST_FREE_BYTES = 512 * 1024 * 1024
#: Longer than the reaper of a killed supervisor needs to end its services.
HOLD_TIMEOUT_S = 45.0


class DataFolder:
    """The files of one stack.

    Args:
        path: The folder; ``create`` creates it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.stack = self.path / "stack.json"
        self.state = self.path / "state.json"
        self.discovery = self.path / "discovery.json"
        self.lock = self.path / "supervisor.lock"

    def create(self, *, least_free: int = LEAST_FREE_BYTES) -> None:
        """Create the folder unless it exists, closed to other users.

        Raises:
            DataFolderError: It cannot be created or written, or its disk has less than ``least_free`` bytes left.
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

        Raises:
            DataFolderError: Another supervisor uses the folder.
        """
        with self.lock.open("a+") as file:
            deadline = time.monotonic() + timeout
            while not _try_lock(file.fileno()):
                if (holder := self.supervisor()) is not None:
                    raise DataFolderError(
                        f"A stack is already running on {self.path} (process {holder}); "
                        "`runstream status` shows it, `runstream down` stops it"
                    )
                if time.monotonic() > deadline:
                    raise DataFolderError(f"Processes that an earlier stack left running on {self.path} do not exit")
                time.sleep(0.1)
            file.truncate(0)
            file.write(f"{os.getpid()} {started(os.getpid())}\n")
            file.flush()
            yield file.fileno()

    def is_held(self) -> bool:
        """Return whether a supervisor, or the reaper of a killed one, uses the folder."""
        if not self.lock.exists():
            return False
        with self.lock.open("a+") as file:
            return not _try_lock(file.fileno())

    def supervisor(self) -> int | None:
        """Return the pid of the supervisor that uses the folder, or None."""
        with contextlib.suppress(OSError, ValueError):
            pid, start = map(int, self.lock.read_text().split())
            if is_running(pid, start) and self.is_held():
                return pid
        return None


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; only its owner may read it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return False
    return True
