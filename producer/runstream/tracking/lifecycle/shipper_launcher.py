"""Starts the guardian of a run folder, restarts it if it is gone, and waits for delivery at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.descriptors import KeptFile, above_standard
from runstream.run_folder.process_identity import process_start
from runstream.spool.control_page import Phase, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.run_folder.folder import RunFolder

_POLL_S = 0.02
_CHECK_S = 1.0
#: Starts its arguments in the background and exits: the guardian is not our child, and leaves no zombie.
_DETACH = '"$@" &'
#: For the guardian: the descriptor of the pidfd of this process, as DESCRIPTOR:PID:STARTED.
_TRAINER = "RUNSTREAM_TRAINER_PIDFD"


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherTimeouts:
    """Timeouts in seconds."""

    #: Without a heartbeat on the control page for this long, the shipper's process is checked.
    silent_s: float = 5.0
    #: Time for a new guardian to start before another is started.
    starting_s: float = 10.0
    #: No progress is shown during shorter waits.
    quiet_s: float = 0.5
    #: Longest wait for a server that has never answered,
    never_answered_s: float = 5.0
    #: and for the first attempt to connect, which begins when the shipper's process has started.
    connecting_s: float = 20.0
    #: Longest wait for one that has.
    delivery_s: float = 60.0


class ShipperLauncher:
    """Guardian and shipper of a run folder, as seen from the training process."""

    def __init__(self, folder: RunFolder, environ: Mapping[str, str], timeouts: LauncherTimeouts | None = None) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._timeouts = timeouts or LauncherTimeouts()
        self._started_at = float("-inf")

    def start(self) -> None:
        """Start the guardian, which starts the shipper, in a separate session; raises OSError."""
        self._started_at = time.monotonic()
        environ = _with_absolute_paths(self._environ)
        if (pidfd := _own_pidfd()) is not None:
            environ[_TRAINER] = f"{pidfd}:{os.getpid()}:{process_start(os.getpid()) or ''}"
        command = [sys.executable, "-m", "runstream.shipper.guardian", os.fspath(self._folder.path)]
        log = KeptFile.open(self._folder.logs / "guardian.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            subprocess.run(  # noqa: S603 - the arguments are our own
                ["/bin/sh", "-c", _DETACH, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log.descriptor,
                stderr=log.descriptor,
                cwd="/",
                env=environ,
                pass_fds=() if pidfd is None else (pidfd,),
                start_new_session=True,
                check=True,
            )
        finally:
            log.close()
            if pidfd is not None:
                os.close(pidfd)

    def ensure(self) -> None:
        """Start the guardian again if it and the shipper are gone, unless they were stopped; raises OSError."""
        control = self._folder.control
        if control[Word.DELIVERY_STOPPED]:
            return
        silent_s = time.time() - control[Word.SHIPPER_ALIVE] / 1e6
        starting_s = time.monotonic() - self._started_at
        if silent_s < self._timeouts.silent_s or starting_s < self._timeouts.starting_s:
            return
        is_running = _is_ours(control[Word.SHIPPER_PID]) or _is_ours(control[Word.GUARDIAN_PID])
        if not is_running and not self._folder.gone:
            self.start()

    @property
    def done(self) -> bool:
        """Whether everything in the folder is acknowledged, except exits that depend on the end of this process."""
        control = self._folder.control
        return control[Word.PHASE] == Phase.DELIVERED or control[Word.AWAITS_END] != 0

    @property
    def pending(self) -> int:
        """Records that are not acknowledged, as counted by the shipper."""
        return self._folder.control[Word.PENDING]

    def wait(
        self, limit_s: float | None, progress: Callable[[int], None], stalled: Callable[[], None] = lambda: None
    ) -> bool:
        """Wait until everything is delivered; return False if the limit in seconds is reached first.

        None is 60 or, if the shipper dies with this process, no limit while delivery makes progress. ``progress`` is
        called with the number of pending records after a short while, and ``stalled`` after each second without an
        acknowledgement. If the folder was deleted or moved, the wait ends at once.
        """
        started = moved = checked = time.monotonic()
        done = (-1, 0)
        control = self._folder.control
        control[Word.FINISH_REQUESTED] = 1
        while not self.done:
            now = time.monotonic()
            if (reached := (control[Word.TRAINERS_ACKED], control[Word.UPLOADED_BYTES])) != done:
                done, moved = reached, now
            if now - max(checked, moved) > _CHECK_S:
                checked = now
                control.check()
                control[Word.FINISH_REQUESTED] = 1
                if self._folder.gone:
                    return False
                stalled()
            limit = self._default_limit_s if limit_s is None else limit_s
            since = moved if limit_s is None and shipper_dies_with_trainer(self._environ) else started
            if now - since >= limit or control[Word.DELIVERY_STOPPED]:
                return False
            if now - started > self._timeouts.quiet_s:
                progress(self.pending)
            self.ensure()
            time.sleep(_POLL_S)
        return True

    @property
    def _default_limit_s(self) -> float:
        match self._folder.control[Word.PHASE]:
            case Phase.CONNECTING:
                return self._timeouts.connecting_s
            case Phase.NEVER_CONNECTED:
                return self._timeouts.never_answered_s
        return self._timeouts.delivery_s


def shipper_dies_with_trainer(environ: Mapping[str, str]) -> bool:
    """Return whether the processes that this one started end with it: in a container or a Slurm step."""
    if "SLURM_STEP_ID" in environ or "KUBERNETES_SERVICE_HOST" in environ:
        return True
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def _is_ours(pid: int) -> bool:
    """Return whether a process is running and is a guardian or a shipper: pids are reused."""
    if pid == 0:
        return False
    try:
        return b"runstream.shipper" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _own_pidfd() -> int | None:
    """Return a pidfd of this process, which shows the shipper how it ends; None if the system has none."""
    try:
        return above_standard(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return None


def _with_absolute_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with PYTHONPATH made independent of the current folder."""
    changed = {name: value for name, value in environ.items() if name != _TRAINER}
    if paths := environ.get("PYTHONPATH"):
        changed["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep))  # noqa: PTH100
    return changed
