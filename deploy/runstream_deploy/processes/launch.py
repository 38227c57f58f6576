"""Starts a service so that it cannot outlive its supervisor, then becomes it by exec.

Run as a script by path (``python -I -S launch.py …``): standard library only; takes about 15 ms.

The order of the steps matters. The process is registered with the reaper before the service exists, so a supervisor
that is killed in between leaves nothing running. The parent-death signal is set after the change of user, which clears
it, and the parent is checked after that, because it may have exited before.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

#: ``linux/prctl.h`` and ``linux/sched.h``.
PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
#: The user id of a process within its own user namespace.
NAMESPACE_UID = 1000
#: The user ``nobody``, which owns nothing.
UNPRIVILEGED_UID = 65534


def main(arguments: list[str]) -> None:
    """Change the user, tie the process to its parent, and exec the command after ``--``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, required=True)
    parser.add_argument("--reaper", type=int)
    parser.add_argument("--identity", choices=["same", "namespace", "nobody"], default="same")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    if options.reaper is not None:
        register(options.reaper, options.signal)
    if options.identity == "namespace":
        enter_user_namespace()
    elif options.identity == "nobody":
        become_nobody()
    die_with_parent(options.parent, options.signal)
    # Python ignores SIGPIPE, and an ignored signal stays ignored across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(options.command[0], options.command)  # noqa: S606 - to become that program is the purpose


def register(descriptor: int, stop_signal: int) -> None:
    """Register this process with the reaper; a line shorter than PIPE_BUF is written atomically."""
    os.write(descriptor, f"{os.getpid()} {started(os.getpid())} {stop_signal}\n".encode())
    os.close(descriptor)


def started(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; with the pid, this identifies the process."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split()[19])


def enter_user_namespace() -> None:
    """Keep the rights on the file system, but appear to the program as a user who is not root."""
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NAMESPACE_UID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NAMESPACE_UID} {gid} 1")


def become_nobody() -> None:
    """Give up root permanently."""
    os.setgroups([])
    os.setresgid(UNPRIVILEGED_UID, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
    os.setresuid(UNPRIVILEGED_UID, UNPRIVILEGED_UID, UNPRIVILEGED_UID)


def die_with_parent(parent: int, stop_signal: int) -> None:
    """Have the kernel send ``stop_signal`` when the thread that started this process exits."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0) != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem), "prctl")
    if os.getppid() != parent:
        sys.exit(f"Process {parent}, which started this service, has exited")


if __name__ == "__main__":
    main(sys.argv[1:])
