"""Whether a writer's process is running, and how it ended.

How a process ended is determined, in this order, from its pidfd (``PIDFD_GET_INFO``, Linux 6.15 and later, after its
parent has reaped it) and from ``/proc`` (before that). If neither is possible, it is unknown. A training process may
end before its shipper has started. So it opens a pidfd of itself, which the shipper inherits through the guardian.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from runstream.run_folder import process_identity
from runstream.run_folder.descriptions import WriterInfo
from runstream.shipper.guardian import TRAINER
from runstream_schemas.events import Ending, ExitState

#: struct pidfd_info: mask, cgroup id, pid, tgid, ppid, eight user and group ids, exit code.
_INFO = struct.Struct("=QQIIIIIIIIIIIi")
_INFO_EXIT = 1 << 3
#: _IOWR(0xFF, 11, struct pidfd_info)
_GET_INFO = 3 << 30 | _INFO.size << 16 | 0xFF << 8 | 11
#: Seconds to wait until an ended process is reaped, after which the kernel reports how it ended.
REAPED_WITHIN_S = 1.0
#: Seconds without a write after which a writer of another machine is regarded as ended.
FOREIGN_SILENCE_S = 3600.0


def is_alive(info: WriterInfo, host: process_identity.Host, *, last_write: float, now: float) -> bool:
    """Whether a writer may still write; its last write and now in seconds since 1970.

    The process is identified by pid, start time and boot; a writer of another machine is regarded as ended after its
    spool was silent for an hour.
    """
    if info.boot_id != host.boot_id:
        return info.host != host.name and now - last_write < FOREIGN_SILENCE_S
    fields = process_identity.process_stat(info.pid)
    if fields is None or fields[process_identity.STAT_STATE] in "ZX" or executes_another(info):
        return False
    return info.pid_started is None or int(fields[process_identity.STAT_START]) == info.pid_started


def executes_another(info: WriterInfo) -> bool:
    """Whether a writer's process has executed another program (``os.execv``) since; False if that is not known."""
    if info.image is None or process_identity.process_start(info.pid) != info.pid_started:
        return False
    return process_identity.process_image(info.pid) not in {None, info.image}


@dataclass(frozen=True, slots=True)
class InheritedPidfd:
    """The pidfd of the training process that started the shipper, valid after its end too."""

    descriptor: int
    pid: int
    #: Clock ticks after boot, or None if unknown.
    started: int | None

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> InheritedPidfd | None:
        """Return the pidfd in the environment, or None if there is none; the variable is removed."""
        fields = environ.pop(TRAINER, "").split(":")
        try:
            descriptor, pid, begun = int(fields[0]), int(fields[1]), int(fields[2] or -1)
            if "\nPid:" not in Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii"):
                return None
            os.set_inheritable(descriptor, False)  # noqa: FBT003 (positional only)
        except (OSError, ValueError, LookupError):
            return None
        return cls(descriptor, pid, None if begun < 0 else begun)

    def is_of(self, info: WriterInfo, host: process_identity.Host) -> bool:
        """Whether this is the pidfd of a writer's process."""
        return (info.pid, info.pid_started, info.boot_id) == (self.pid, self.started, host.boot_id)


class WatchedProcess:
    """A process that is watched by its pidfd: its end is seen at once, and a reused pid cannot be mistaken for it.

    OSError is raised if there is no such process, or the system does not support pidfds. A given descriptor is closed
    too.
    """

    def __init__(self, info: WriterInfo, descriptor: int | None = None) -> None:
        if descriptor is None and not hasattr(os, "pidfd_open"):
            raise OSError("pidfds are not supported by this system")
        self._info = info
        self.descriptor = os.pidfd_open(info.pid) if descriptor is None else descriptor

    def ended(self) -> bool:
        """Whether the process has ended."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def wait_status(self) -> int | None:
        """Return the wait status of the process, or None if neither the kernel nor /proc has it now."""
        buffer = bytearray(_INFO.pack(_INFO_EXIT, *[0] * 13))
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.descriptor, _GET_INFO, buffer)
            mask, *_, status = _INFO.unpack(buffer)
            if mask & _INFO_EXIT:
                return int(status)
        return zombie_status(self._info)

    def close(self) -> None:
        """Close the pidfd, which is not watched by the event loop any more."""
        # The loop cannot unregister a closed descriptor; with a duplicate open, it would be woken forever.
        with contextlib.suppress(RuntimeError):  # no loop is running
            asyncio.get_running_loop().remove_reader(self.descriptor)
        os.close(self.descriptor)


def find_wait_status(watched: WatchedProcess, *, within: float = REAPED_WITHIN_S) -> int | None:
    """Return the wait status of an ended process, waiting a moment since it may not be reaped yet."""
    deadline = time.monotonic() + within
    while (status := watched.wait_status()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return status


def ending_from_status(status: int | None) -> Ending:
    """Return the ending of a writer without a last record, from the wait status of its process."""
    if status is None:
        reason = "signal unknown (SIGKILL or out of memory likely)"
        return Ending(state=ExitState.CRASHED, signal=-1, reason=reason)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        state = ExitState.KILLED if number in {signal.SIGTERM, signal.SIGINT} else ExitState.CRASHED
        return Ending(state=state, exit_code=128 + number, signal=number, reason=f"ended by {_name(number)}")
    code = os.waitstatus_to_exitcode(status)
    state = ExitState.FAILED if code else ExitState.FINISHED
    return Ending(state=state, exit_code=code, reason=f"exit status {code} without finish()")


def ending_by_exec() -> Ending:
    """Return the ending of a writer whose process executed another program."""
    return Ending(state=ExitState.FINISHED, exit_code=0, reason="executed another program (exec) without finish()")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def zombie_status(info: WriterInfo) -> int | None:
    """Return the wait status of a writer's process that is not reaped yet; else None."""
    fields = process_identity.process_stat(info.pid)
    if (
        fields is None
        or fields[process_identity.STAT_STATE] != "Z"
        or len(fields) <= process_identity.STAT_EXIT_CODE
        or not _may_look(info.pid)
    ):
        return None
    if info.pid_started not in {None, int(fields[process_identity.STAT_START])}:
        return None  # another process has this pid now
    return int(fields[process_identity.STAT_EXIT_CODE])


def _may_look(pid: int) -> bool:
    """Whether /proc shows this process the exit code; to other users it shows 0."""
    try:
        return os.geteuid() in {0, Path(f"/proc/{pid}").stat().st_uid}
    except OSError:
        return False
