"""A training process may exit before its shipper has started: how it ended is known nevertheless."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.folder import RunFolder
from runstream.run_folder.process_identity import process_start
from runstream.spool.control_page import ControlPage, Word
from runstream.tracking.lifecycle.shipper_launcher import ShipperLauncher
from runstream_schemas.events import ExitState, Kind
from tests.integration.shipper.runs import delivered
from tests.integration.shipper.test_endings import beating
from tests.integration.shipper.test_outages import unused_address
from tests.polling import eventually
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_schemas.events import Ending
    from tests.integration.shipper.runs import RunDir


@contextmanager
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that exits with the status from its input; it is reaped afterwards."""
    program = "import os; os._exit(int(input()))"
    process = subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begun(run_dir: RunDir, pid: int) -> bytes:
    """Add a writer of a process with one row."""
    spool = SpoolBuilder()
    spool.append({"n": 0})
    return run_dir.add_writer(spool, pid=pid)


@contextmanager
def guarded(run_dir: RunDir, trainer: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a guardian that inherits the pidfd of a process, which may have exited; kill its group afterwards."""
    pidfd = os.pidfd_open(trainer)
    environment = {**run_dir.environment, "RUNSTREAM_TRAINER_PIDFD": f"{pidfd}:{trainer}:{process_start(trainer)}"}
    with (run_dir.path / "logs" / "guardian.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "runstream.shipper.guardian", str(run_dir.path)],
            env=environment,
            pass_fds=(pidfd,),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(pidfd)
    try:
        os.kill(process.pid, signal.SIGSTOP)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end(trainer: subprocess.Popen[bytes], how: signal.Signals | int, *, reap: bool) -> None:
    """End a process by a signal or with an exit status, and reap it if requested."""
    if isinstance(how, signal.Signals):
        trainer.send_signal(how)
    else:
        assert trainer.stdin is not None
        trainer.stdin.write(b"%d\n" % how)
        trainer.stdin.flush()
    eventually(lambda: Path(f"/proc/{trainer.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    if reap:
        trainer.wait()


def reported(ending: Ending) -> tuple[ExitState, int, int]:
    """Return state, exit code and signal of an ending."""
    return ending.state, ending.exit_code, ending.signal


@pytest.mark.parametrize("reap", [True, False], ids=["reaped", "zombie"])
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (signal.SIGSEGV, (ExitState.CRASHED, 139, signal.SIGSEGV)),
        (0, (ExitState.FINISHED, 0, 0)),
        (7, (ExitState.FAILED, 7, 0)),
    ],
)
def test_end_before_the_shipper_started(  # noqa: PLR0917 - fixtures and parameters
    run_dir: RunDir,
    broker: str,
    prefix: str,
    how: signal.Signals | int,
    expected: tuple[ExitState, int, int],
    reap: bool,  # noqa: FBT001 (a parameter)
) -> None:
    """The inherited pidfd shows how the process ended; its exit reports no beats, and none was sent."""
    with waiting() as trainer:
        writer = begun(run_dir, trainer.pid)
        with guarded(run_dir, trainer.pid) as guardian:
            end(trainer, how, reap=reap)
            guardian.send_signal(signal.SIGCONT)
            assert guardian.wait(120) == 0

    found = delivered(broker, prefix, run_dir.run)
    assert (reported(found.exits()[writer].ending), found.exits()[writer].beats) == (expected, False)
    assert [beat.kind for beat in found.heartbeats(Kind.BEAT)] == []
    assert [goodbye.ending for goodbye in found.heartbeats(Kind.GOODBYE)] == [found.exits()[writer].ending]


def test_end_between_two_shippers(run_dir: RunDir, broker: str, prefix: str) -> None:
    """The next shipper inherits the pidfd, and finds out how the process ended while none was running."""
    with waiting() as trainer:
        writer = begun(run_dir, trainer.pid)
        with guarded(run_dir, trainer.pid) as guardian:
            guardian.send_signal(signal.SIGCONT)
            beating(run_dir, broker, prefix)
            guardian.send_signal(signal.SIGSTOP)
            with ControlPage(run_dir.path / "control") as control:
                os.kill(control[Word.SHIPPER_PID], signal.SIGKILL)
            end(trainer, 7, reap=True)
            guardian.send_signal(signal.SIGCONT)
            assert guardian.wait(120) == 0

    found = delivered(broker, prefix, run_dir.run)
    assert (reported(found.exits()[writer].ending), found.exits()[writer].beats) == ((ExitState.FAILED, 7, 0), True)
    assert [goodbye.ending.state for goodbye in found.heartbeats(Kind.GOODBYE) if goodbye.ending] == [ExitState.FAILED]


def test_end_of_a_zombie_is_found_without_a_pidfd(run_dir: RunDir, broker: str, prefix: str) -> None:
    """The end of a process that is not reaped is read from /proc, even if it was never watched."""
    with waiting() as trainer:
        writer = begun(run_dir, trainer.pid)
        end(trainer, 7, reap=False)
        assert run_dir.ship_to_end() == 0

    found = delivered(broker, prefix, run_dir.run)
    assert reported(found.exits()[writer].ending) == (ExitState.FAILED, 7, 0)


def pidfds(process: int | str) -> dict[int, tuple[int, bool]]:
    """Return the open pidfds of a process: the pid of each, and whether it is closed in children."""
    found = {}
    for entry in Path(f"/proc/{process}/fdinfo").iterdir():
        try:
            fields = dict(line.split(":", 1) for line in entry.read_text().splitlines())
        except FileNotFoundError:
            continue  # the descriptor of the folder that is being read
        if "Pid" in fields:
            found[int(entry.name)] = int(fields["Pid"]), bool(int(fields["flags"], 8) & os.O_CLOEXEC)
    return found


def test_every_guardian_gets_a_pidfd_and_the_trainer_keeps_none(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training process closes its pidfd at once; guardian and shipper have it, and so has the next guardian."""
    before = pidfds("self")
    environment = {**run_dir.environment, "RUNSTREAM_URL": f"http://{unused_address()}"}
    folder = RunFolder(run_dir.path)
    begun(run_dir, os.getpid())
    delivery = ShipperLauncher(folder, environment)
    for _ in range(2):
        delivery.start()
        assert pidfds("self") == before
        guardian = eventually(lambda: folder.control[Word.GUARDIAN_PID])
        shipper = eventually(lambda: folder.control[Word.SHIPPER_PID])
        handed_on = [pidfds(guardian), pidfds(shipper)]
        os.kill(guardian, signal.SIGTERM)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (guardian, shipper)))  # noqa: B023 (called at once)

        assert [(os.getpid(), False)] == list(handed_on[0].values())
        assert {(os.getpid(), True)} == set(handed_on[1].values())
        folder.control[Word.GUARDIAN_PID] = folder.control[Word.SHIPPER_PID] = 0

    monkeypatch.delattr(os, "pidfd_open")
    delivery.start()
    guardian = eventually(lambda: folder.control[Word.GUARDIAN_PID])
    without = pidfds(guardian)
    os.kill(guardian, signal.SIGTERM)
    eventually(lambda: not Path(f"/proc/{guardian}").exists())
    assert without == {}
