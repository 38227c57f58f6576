"""``python -m runstream.shipper.guardian RUN_DIR``: keep a shipper running until a run folder is delivered.

There is one guardian per run, for as long as the run, so it is small: it replaces itself with an interpreter without
site-packages that runs this file. So it imports neither other modules of this project nor of others.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

#: An argument that is ignored; it identifies the guardian in the list of processes.
NAME = "runstream.shipper.guardian"
#: Exit statuses after which no other shipper is started: complete, wrong usage, no run folder, given up.
FINAL = frozenset([0, 64, 66, 75])

#: Environment variable with the pidfd of the training process, as ``DESCRIPTOR:PID:STARTED``. The guardian passes the
#: open descriptor to every shipper, which can then find out how the process ended, even if it had ended before.
TRAINER = "RUNSTREAM_TRAINER_PIDFD"

_CONTROL_SIZE = 4096
#: Offset of the guardian's pid in the control page.
_PID_WORD = 24
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
#: After a shipper that ran for so long, the pauses begin with the shortest again.
_STABLE_S = 10.0
_STOP_S = 3.0
_LOG_BYTES = 1024 * 1024


def main(arguments: list[str]) -> int:
    """Guard the run folder that the first argument names; return an exit status."""
    if not arguments:
        sys.stderr.write("usage: python -m runstream.shipper.guardian RUN_DIR\n")
        return 64
    folder = os.path.abspath(arguments[0])  # noqa: PTH100 (pathlib is not worth its memory here)
    if not sys.flags.isolated:
        os.execv(sys.executable, [sys.executable, "-I", "-S", os.path.abspath(__file__), folder, NAME])  # noqa: PTH100, S606
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    close_all_but(os.environ.get(TRAINER, ""))
    try:
        lock = os.open(os.path.join(folder, "guardian.lock"), os.O_RDWR | os.O_CREAT, 0o600)  # noqa: PTH118
    except OSError as error:
        sys.stderr.write(f"{folder}: {error}\n")
        return 66
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # another guardian is running
    write_pid(folder, os.getpid())
    try:
        return guard(folder)
    finally:
        write_pid(folder, 0)


def close_all_but(trainer: str) -> None:
    """Close all inherited descriptors except the pidfd of the training process."""
    descriptor = trainer.partition(":")[0]
    kept = int(descriptor) if descriptor.isdecimal() else 0
    os.closerange(3, min(max(kept, 3), 256))
    os.closerange(max(kept + 1, 3), 256)


def guard(folder: str) -> int:
    """Start a shipper, and another after each that fails, with growing pauses; return the exit status."""
    children: list[int] = []

    def stop(_number: int, _frame: object) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)
        signal.alarm(int(_STOP_S))
        stopping.append(True)

    stopping: list[bool] = []
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    pause = _FIRST_WAIT_S
    while True:
        began = time.monotonic()
        children[:] = [start(folder)]
        _, status = os.waitpid(children[0], 0)
        children.clear()
        code = os.waitstatus_to_exitcode(status)
        if code in FINAL or stopping:
            return 0
        sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} the shipper ended with {code}; starting another\n")
        sys.stderr.flush()
        if time.monotonic() - began > _STABLE_S:
            pause = _FIRST_WAIT_S
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_WAIT_S)


def start(folder: str) -> int:
    """Start a shipper whose output goes to its log, and return its pid."""
    log = os.path.join(folder, "logs", "shipper.log")  # noqa: PTH118
    try:
        if os.stat(log).st_size > _LOG_BYTES:  # noqa: PTH116
            os.replace(log, log + ".1")  # noqa: PTH105
    except OSError:
        pass  # there is no log yet, or it cannot be rotated
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "runstream.shipper", folder],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)],
        )
    finally:
        os.close(output)


def write_pid(folder: str, pid: int) -> None:
    """Write the guardian's pid to the control page, if there is one that is complete."""
    control = os.path.join(folder, "control")  # noqa: PTH118
    try:
        page = os.open(control, os.O_RDWR)
        try:
            if os.fstat(page).st_size >= _CONTROL_SIZE:
                os.pwrite(page, pid.to_bytes(8, "little"), _PID_WORD)
        finally:
            os.close(page)
    except OSError:
        pass  # there is none, or it cannot be written


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
