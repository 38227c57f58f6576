"""The data folder of a stack: what lies where, who may use it, and whether there is room."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from runstream_deploy.exceptions import DataRefused
from runstream_deploy.processes.launch import started
from runstream_deploy.processes.reaper import is_running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Below this, Kafka and Postgres would soon stop on a full disk.
LEAST_FREE_BYTES = 512 * 1024 * 1024
#: Longer than the reaper of a killed supervisor needs to end its services.
PATIENCE_S = 45.0


def default_data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``RUNSTREAM_DATA_DIR``, else the user's data folder by the rules of the platform."""
    named = environment.get("RUNSTREAM_DATA_DIR")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("runstream")) / "default"


class DataFolder:
    """Names the files of one stack.

    Args:
        path: The folder; ``make`` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.stack = self.path / "stack.json"
        self.state = self.path / "state.json"
        self.discovery = self.path / "discovery.json"
        self.lock = self.path / "supervisor.lock"

    def make(self, *, least_free: int = LEAST_FREE_BYTES) -> None:
        """Make the folder, closed to other users; ``least_free`` bytes must be left on its disk.

        Raises:
            DataRefused: it cannot be made or written, or its disk is nearly full.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise DataRefused(f"the data folder {self.path} cannot be used: {error.strerror}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise DataRefused(f"the data folder {self.path} is not writable for this user")
        if free < least_free:
            raise DataRefused(
                f"the disk of {self.path} is nearly full: {free // 2**20} MiB left, {least_free // 2**20} MiB "
                "are needed; make room or choose another --data-dir"
            )

    def log(self, service: str) -> Path:
        """Return the log of a service."""
        return self.logs / f"{service}.log"

    @contextlib.contextmanager
    def held(self, *, patience: float = PATIENCE_S) -> Iterator[int]:
        """Hold the folder for one supervisor; yields the descriptor of the lock.

        A supervisor that was killed leaves the lock with its reaper until all services have ended; that is waited for.

        Raises:
            DataRefused: another supervisor runs on the folder.
        """
        with self.lock.open("a+") as file:
            deadline = time.monotonic() + patience
            while not _try_lock(file.fileno()):
                if (holder := self.supervisor()) is not None:
                    raise DataRefused(
                        f"a stack is already running on {self.path} (process {holder}); "
                        "`runstream status` shows it, `runstream down` stops it"
                    )
                if time.monotonic() > deadline:
                    raise DataRefused(f"what an earlier stack left running on {self.path} does not end")
                time.sleep(0.1)
            file.truncate(0)
            file.write(f"{os.getpid()} {started(os.getpid())}\n")
            file.flush()
            yield file.fileno()

    def is_held(self) -> bool:
        """Return whether a supervisor, or the reaper of a killed one, is at work on the folder."""
        if not self.lock.exists():
            return False
        with self.lock.open("a+") as file:
            return not _try_lock(file.fileno())

    def supervisor(self) -> int | None:
        """Return the pid of the supervisor at work on the folder, None where there is none."""
        with contextlib.suppress(OSError, ValueError):
            pid, start = map(int, self.lock.read_text().split())
            if is_running(pid, start) and self.is_held():
                return pid
        return None


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
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
