"""Whether a process lives, and how one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.descriptions import WriterInfo
from runstream.run_folder.process_identity import Host, process_start
from runstream.shipper.writers.process import WatchedProcess, ending_from_status, is_alive, zombie_status
from runstream_schemas.events import ExitState, Role
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Host.here()
WAITS = [sys.executable, "-S", "-c", "input()"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that waits."""
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def info_of(pid: int) -> WriterInfo:
    """Return the info of a writer that this process could have written."""
    return WriterInfo(
        id=bytes(16),
        role=Role.PRIMARY,
        pid=pid,
        pid_started=process_start(pid),
        boot_id=HERE.boot_id,
        created=0,
        host=HERE.name,
        label="",
    )


def alive(info: WriterInfo, *, last_write: float = 0.0, now: float = 10_000.0) -> bool:
    """Tell whether the writer of a info lives."""
    return is_alive(info, HERE, last_write=last_write, now=now)


def test_a_process_is_known_by_pid_start_and_boot() -> None:
    """The same pid with another start, or of an earlier boot, is another process."""
    info = info_of(os.getpid())

    others = [replace(info, pid_started=1), replace(info, boot_id="before")]
    assert [alive(info), *map(alive, others)] == [True, False, False]


def test_a_writer_elsewhere_lives_while_it_writes() -> None:
    """A writer of another machine counts as living until its spool was silent for an hour."""
    info = replace(info_of(os.getpid()), boot_id="other", host="elsewhere")

    assert [alive(info, last_write=9_000.0), alive(info, last_write=6_000.0)] == [True, False]


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [
        (signal.SIGKILL, ExitState.CRASHED, 137),
        (signal.SIGTERM, ExitState.KILLED, 143),
    ],
)
def test_the_signal_is_found_before_and_after_reaping(
    process: subprocess.Popen[bytes], number: signal.Signals, state: ExitState, code: int
) -> None:
    """A dead process tells its signal while it is a zombie and, where the kernel keeps it, once it is reaped."""
    info, watched = info_of(process.pid), WatchedProcess(info_of(process.pid))
    before = (watched.ended(), alive(info))
    process.send_signal(number)

    eventually(watched.ended)
    as_zombie = (watched.wait_status(), zombie_status(info), zombie_status(replace(info, pid_started=1)))
    process.wait()
    reaped = watched.wait_status()
    watched.close()

    assert (before, as_zombie, reaped) == ((False, True), (number, number, None), number)
    ending = ending_from_status(number)
    assert (ending.state, ending.signal, ending.exit_code) == (state, number, code)


def test_what_a_wait_status_means() -> None:
    """0 is finished, any other status failed, Ctrl-C killed; where nobody knows, crashed for an unknown reason."""
    endings = [ending_from_status(status) for status in (0, 3 << 8, signal.SIGINT, None)]

    assert [(ending.state, ending.exit_code, ending.signal) for ending in endings] == [
        (ExitState.FINISHED, 0, 0),
        (ExitState.FAILED, 3, 0),
        (ExitState.KILLED, 130, signal.SIGINT),
        (ExitState.CRASHED, -1, -1),
    ]
    assert endings[3].reason == "signal unknown (SIGKILL or out of memory likely)"


def test_a_signal_without_a_name() -> None:
    """A real-time signal is told by its number."""
    assert ending_from_status(50).reason == "ended by signal 50"


def test_no_process_has_no_start() -> None:
    """A pid that nobody has started nowhere."""
    nobody = replace(info_of(os.getpid()), pid=2**22 + 1)

    assert (process_start(nobody.pid), zombie_status(nobody), alive(nobody)) == (None, None, False)
