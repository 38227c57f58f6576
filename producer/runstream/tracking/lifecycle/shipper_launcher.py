"""The processes that deliver: started by the one that logs, watched by a mapped word, waited for at the end."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.run_folder.process_identity import process_start
from runstream.spool.control_page import Phase, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.run_folder.folder import RunFolder

_POLL_S = 0.02
#: Starts its arguments in the background and ends: the guardian is nobody's child here, and leaves no zombie.
_DETACH = '"$@" &'
#: Tells the guardian which of its descriptors is the pidfd of this process, and whose: DESCRIPTOR:PID:STARTED.
_TRAINER = "RUNSTREAM_TRAINER_PIDFD"


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherTimeouts:
    """How long to wait for what, in seconds."""

    #: A shipper that has given no sign of life for so long is looked at more closely.
    silent_s: float = 5.0
    #: A new guardian has so long to come up before another is started.
    starting_s: float = 10.0
    #: Waits that are shorter are not worth a word.
    quiet_s: float = 0.5
    #: Longest wait for a server that has never answered this run.
    never_answered_s: float = 5.0
    #: Longest wait for a server that has.
    delivery_s: float = 60.0


class ShipperLauncher:
    """Guardian and shipper of one run folder, seen from the process that logs.

    Args:
        folder: The run folder.
        environ: Environment of the processes.
        timeouts: How long to wait for what.
    """

    def __init__(self, folder: RunFolder, environ: Mapping[str, str], timeouts: LauncherTimeouts | None = None) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._timeouts = timeouts or LauncherTimeouts()
        self._started_at = float("-inf")

    def start(self) -> None:
        """Start the guardian, which starts the shipper, in a session of their own.

        Raises:
            OSError: They cannot be started.
        """
        self._started_at = time.monotonic()
        environ = _with_absolute_paths(self._environ)
        pidfd = _own_pidfd()
        if pidfd is not None:
            environ[_TRAINER] = f"{pidfd}:{os.getpid()}:{process_start(os.getpid()) or ''}"
        command = [sys.executable, "-m", "runstream.shipper.guardian", os.fspath(self._folder.path)]
        log = os.open(self._folder.logs / "guardian.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            subprocess.run(  # noqa: S603 - the arguments are our own
                ["/bin/sh", "-c", _DETACH, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environ,
                pass_fds=() if pidfd is None else (pidfd,),
                start_new_session=True,
                check=True,
            )
        finally:
            os.close(log)
            if pidfd is not None:
                os.close(pidfd)

    def ensure(self) -> None:
        """Start the guardian again if it and the shipper are gone.

        Raises:
            OSError: They cannot be started.
        """
        control = self._folder.control
        silent_s = time.time() - control[Word.SHIPPER_ALIVE] / 1e6
        starting_s = time.monotonic() - self._started_at
        if silent_s < self._timeouts.silent_s or starting_s < self._timeouts.starting_s:
            return
        if not (_is_ours(control[Word.SHIPPER_PID]) or _is_ours(control[Word.GUARDIAN_PID])):
            self.start()

    @property
    def done(self) -> bool:
        """Whether everything in the folder is acknowledged, but for the exits that the end of this process decides."""
        control = self._folder.control
        return control[Word.PHASE] == Phase.DELIVERED or control[Word.AWAITS_END] != 0

    @property
    def pending(self) -> int:
        """Records that are not acknowledged, as far as the shipper has seen."""
        return self._folder.control[Word.PENDING]

    def wait(self, limit_s: float | None, progress: Callable[[int], None]) -> bool:
        """Wait until everything is delivered; False when the limit is reached first.

        Args:
            limit_s: Seconds. None: 60, but where the shipper dies with this process, as long as delivery gets on.
            progress: Called with the pending records, once the wait is worth a word.
        """
        started = moved = time.monotonic()
        acked = -1
        control = self._folder.control
        control[Word.FINISH_REQUESTED] = 1
        while not self.done:
            now = time.monotonic()
            phase = control[Word.PHASE]
            if control[Word.ACKED] != acked:
                acked, moved = control[Word.ACKED], now
            if limit_s is not None:
                limit = limit_s
            elif phase == Phase.NEVER_CONNECTED:
                limit = self._timeouts.never_answered_s
            else:
                limit = self._timeouts.delivery_s
            since = moved if limit_s is None and shipper_dies_with_trainer(self._environ) else started
            if now - since >= limit:
                return False
            if now - started > self._timeouts.quiet_s:
                progress(self.pending)
            self.ensure()
            time.sleep(_POLL_S)
        return True


def shipper_dies_with_trainer(environ: Mapping[str, str]) -> bool:
    """Tell whether the end of this process ends the processes it started too: a container, or a Slurm step."""
    if "SLURM_STEP_ID" in environ or "KUBERNETES_SERVICE_HOST" in environ:
        return True
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def _is_ours(pid: int) -> bool:
    """Tell whether a process lives and is a guardian or a shipper: pids come round again."""
    if pid == 0:
        return False
    try:
        return b"runstream.shipper" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _own_pidfd() -> int | None:
    """Return a pidfd of this process, by which its shipper learns how it ended; None where there is no such thing."""
    try:
        pidfd = os.pidfd_open(os.getpid())
    except (OSError, AttributeError):
        return None
    try:
        # Where standard input is closed it may have got that number, which the guardian's takes.
        return fcntl.fcntl(pidfd, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        return None
    finally:
        os.close(pidfd)


def _with_absolute_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """Make PYTHONPATH mean the same in another folder."""
    changed = {name: value for name, value in environ.items() if name != _TRAINER}
    if paths := environ.get("PYTHONPATH"):
        changed["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep))  # noqa: PTH100
    return changed
