"""Whether a process is running, and how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.descriptions import WriterInfo
from runstream.run_folder.process_identity import Host, process_image, process_start
from runstream.shipper.writers.process import (
    WatchedProcess,
    ending_from_status,
    executes_another,
    is_alive,
    zombie_status,
)
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
    """Return the description of a writer with this pid."""
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
    """Return whether a writer is running."""
    return is_alive(info, HERE, last_write=last_write, now=now)


def test_process_is_identified_by_pid_start_and_boot() -> None:
    """The same pid with another start time, or of an earlier boot, is another process."""
    info = info_of(os.getpid())

    others = [replace(info, pid_started=1), replace(info, boot_id="before")]
    assert [alive(info), *map(alive, others)] == [True, False, False]


def test_writer_of_another_machine_is_running_while_it_writes() -> None:
    """A writer of another machine is regarded as running until its spool was silent for an hour."""
    info = replace(info_of(os.getpid()), boot_id="other", host="elsewhere")

    assert [alive(info, last_write=9_000.0), alive(info, last_write=6_000.0)] == [True, False]


async def test_a_closed_pidfd_does_not_wake_the_event_loop(process: subprocess.Popen[bytes]) -> None:
    """The loop does not watch a closed pidfd though it has a duplicate, so the end of the process wakes it no more."""
    inherited = os.pidfd_open(process.pid)
    watched = WatchedProcess(info_of(process.pid), os.dup(inherited))
    loop = asyncio.get_running_loop()
    loop.add_reader(watched.descriptor, lambda: None)

    watched.close()

    assert not loop.remove_reader(watched.descriptor)
    os.close(inherited)


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [
        (signal.SIGKILL, ExitState.CRASHED, 137),
        (signal.SIGTERM, ExitState.KILLED, 143),
    ],
)
def test_signal_is_found_before_and_after_reaping(
    process: subprocess.Popen[bytes], number: signal.Signals, state: ExitState, code: int
) -> None:
    """The signal is known while the process is a zombie and, if the kernel keeps it, after it is reaped."""
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


def test_wait_status_determines_the_state() -> None:
    """Status 0 is finished, any other is failed, Ctrl-C is killed, unknown is crashed."""
    endings = [ending_from_status(status) for status in (0, 3 << 8, signal.SIGINT, None)]

    assert [(ending.state, ending.exit_code, ending.signal) for ending in endings] == [
        (ExitState.FINISHED, 0, 0),
        (ExitState.FAILED, 3, 0),
        (ExitState.KILLED, 130, signal.SIGINT),
        (ExitState.CRASHED, -1, -1),
    ]
    assert endings[3].reason == "signal unknown (SIGKILL or out of memory likely)"


def test_signal_without_a_name() -> None:
    """A real-time signal is reported by its number."""
    assert ending_from_status(50).reason == "ended by signal 50"


def test_missing_process_has_no_start() -> None:
    """A pid without a process has no start time and is not running."""
    nobody = replace(info_of(os.getpid()), pid=2**22 + 1)

    assert (process_start(nobody.pid), zombie_status(nobody), alive(nobody)) == (None, None, False)


def test_a_process_that_executes_another_program_is_recognized() -> None:
    """Its pid and start time stay the same; a forked child executes the same program as its parent."""
    ready, begin = os.pipe(), os.pipe()
    if not (pid := os.fork()):
        os.write(ready[1], b"x")
        os.read(begin[0], 1)
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        os.read(ready[0], 1)
        info = replace(info_of(pid), image=process_image(os.getpid()))
        assert alive(info)

        os.write(begin[1], b"x")
        eventually(lambda: executes_another(info))
        assert process_start(pid) == info.pid_started
        assert not alive(info)
        assert alive(replace(info, image=None))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for number in (*ready, *begin):
            os.close(number)
