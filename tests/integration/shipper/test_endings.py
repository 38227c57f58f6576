"""However a training process ends, its exit is delivered at once and is correct."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstream_schemas.events import ExitState, Kind
from runstream_schemas.topics import Topic
from tests.integration.shipper.runs import Delivered, RunDir, delivered, new_run
from tests.polling import eventually
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.shipper.runs import Server

UNKNOWN = "signal unknown (SIGKILL or out of memory likely)"


@pytest.fixture
def reaped() -> Iterator[list[subprocess.Popen[str]]]:
    """Kill and reap the processes of the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def start_trainer(
    run_dir: RunDir, end: str, *, burst: int = 100, reaped: list[subprocess.Popen[str]] | None = None
) -> tuple[subprocess.Popen[str], bytes]:
    """Start a process that logs a burst, and wait until it has; add it to those that a fixture ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.shipper.trainer", str(run_dir.path), str(burst), "1", "0", end],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    if reaped is not None:
        reaped.append(process)
    assert process.stdout is not None
    writer = bytes.fromhex(process.stdout.readline())
    assert process.stdout.readline() == "done\n"
    return process, writer


def rows(count: int) -> list[dict[str, int]]:
    """Return the rows that the trainer logs."""
    return [{"n": number} for number in range(count)]


def beating(run_dir: RunDir, broker: str, prefix: str) -> Delivered:
    """Wait until the run has sent a beat."""

    def look() -> Delivered | None:
        found = delivered(broker, prefix, run_dir.run)
        return found if found.heartbeats(Kind.BEAT) else None

    found = eventually(look)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [
        (signal.SIGKILL, ExitState.CRASHED, 137),
        (signal.SIGSEGV, ExitState.CRASHED, 139),
        (signal.SIGTERM, ExitState.KILLED, 143),
    ],
)
def test_signal_is_named(  # noqa: PLR0917
    server: Server,
    tmp_path: Path,
    broker: str,
    prefix: str,
    reaped: list[subprocess.Popen[str]],
    number: signal.Signals,
    state: ExitState,
    code: int,
) -> None:
    """A process ended by a signal is crashed, or killed if it was asked to stop; every row arrives."""
    run_dir = new_run(tmp_path, server.environment)
    trainer, writer = start_trainer(run_dir, "wait", reaped=reaped)
    shipper = run_dir.ship()
    beating(run_dir, broker, prefix)

    trainer.send_signal(number)
    trainer.wait()
    shipper.wait(120)

    found = delivered(broker, prefix, run_dir.run)
    ending = found.exits()[writer].ending
    assert (ending.state, ending.signal, ending.exit_code) == (state, number, code)
    assert (ending.reason, ending.counts[Topic.LOG]) == (f"ended by {number.name}", 100)
    assert found.rows(writer) == rows(100)
    assert [goodbye.ending for goodbye in found.heartbeats(Kind.GOODBYE)] == [ending]


def test_end_of_an_unreaped_process_is_read_from_proc(
    run_dir: RunDir, broker: str, prefix: str, reaped: list[subprocess.Popen[str]]
) -> None:
    """While a process is a zombie, its signal is found in /proc."""
    trainer, writer = start_trainer(run_dir, "wait", reaped=reaped)
    shipper = run_dir.ship()
    beating(run_dir, broker, prefix)

    os.kill(trainer.pid, signal.SIGABRT)
    shipper.wait(120)

    ending = delivered(broker, prefix, run_dir.run).exits()[writer].ending
    assert (ending.state, ending.signal) == (ExitState.CRASHED, signal.SIGABRT)


def test_signal_is_not_identified_if_disabled(
    server: Server, tmp_path: Path, broker: str, prefix: str, reaped: list[subprocess.Popen[str]]
) -> None:
    """If the kernel may not be asked, the run is crashed, with the likely reason."""
    run_dir = new_run(tmp_path, server.environment, identify_exit_signal=False)
    trainer, writer = start_trainer(run_dir, "wait", reaped=reaped)
    shipper = run_dir.ship()
    beating(run_dir, broker, prefix)

    trainer.kill()
    trainer.wait()
    shipper.wait(120)

    ending = delivered(broker, prefix, run_dir.run).exits()[writer].ending
    assert (ending.state, ending.signal, ending.exit_code, ending.reason) == (ExitState.CRASHED, -1, -1, UNKNOWN)


@pytest.mark.parametrize(("code", "state"), [(0, ExitState.FINISHED), (3, ExitState.FAILED)])
def test_exit_status_without_finish(  # noqa: PLR0917
    server: Server,
    tmp_path: Path,
    broker: str,
    prefix: str,
    reaped: list[subprocess.Popen[str]],
    code: int,
    state: ExitState,
) -> None:
    """A process that exits without finish() is finished with status 0, and failed with any other."""
    run_dir = new_run(tmp_path, server.environment)
    trainer = subprocess.Popen(
        [sys.executable, "-c", f"import os; input(); os._exit({code})"], stdin=subprocess.PIPE, text=True
    )
    reaped.append(trainer)
    spool = SpoolBuilder()
    spool.append({"n": 0})
    writer = run_dir.add_writer(spool, pid=trainer.pid)
    shipper = run_dir.ship()
    beating(run_dir, broker, prefix)

    trainer.communicate("\n")
    shipper.wait(120)

    ending = delivered(broker, prefix, run_dir.run).exits()[writer].ending
    assert (ending.state, ending.exit_code, ending.counts[Topic.LOG]) == (state, code, 1)


def test_writer_that_ended_before_is_closed(run_dir: RunDir, broker: str, prefix: str) -> None:
    """A writer whose process had exited before is crashed for an unknown reason, and sends no beats."""
    spool = SpoolBuilder()
    spool.append({"n": 0})
    writer = run_dir.add_writer(spool)

    status = run_dir.ship_to_end()

    assert status == 0, run_dir.log()
    found = delivered(broker, prefix, run_dir.run)
    ending = found.exits()[writer].ending
    assert (ending.state, ending.reason, ending.counts[Topic.LOG]) == (ExitState.CRASHED, UNKNOWN, 1)
    assert found.heartbeats(Kind.BEAT) == []


def test_open_row_of_a_killed_writer_is_delivered(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Values logged with commit=False before the process was killed are delivered as a row."""
    spool = SpoolBuilder()
    spool.append({"n": 0})
    spool.append({"a": 1}, flags=1)
    spool.append({"b": 2}, flags=0)
    writer = run_dir.add_writer(spool)

    run_dir.ship_to_end()

    found = delivered(broker, prefix, run_dir.run)
    assert found.rows(writer) == [{"n": 0}, {"a": 1, "b": 2}]
    assert found.exits()[writer].ending.counts[Topic.LOG] == 2


def test_beats_are_sent_while_the_process_runs(
    run_dir: RunDir, broker: str, prefix: str, reaped: list[subprocess.Popen[str]]
) -> None:
    """A running writer beats about once per interval, with its order and what is pending, and not after its end."""
    trainer, writer = start_trainer(run_dir, "wait", reaped=reaped)
    shipper = run_dir.ship()

    def beaten() -> Delivered | None:
        found = delivered(broker, prefix, run_dir.run)
        return found if len(found.heartbeats(Kind.BEAT)) >= 3 else None

    eventually(beaten)
    trainer.kill()
    trainer.wait()
    shipper.wait(120)

    found = delivered(broker, prefix, run_dir.run)
    beats = found.heartbeats(Kind.BEAT)
    assert {(beat.writer.id, beat.trainer_alive, beat.interval_ms, beat.label) for beat in beats} == {
        (writer, True, 500, "rank0")
    }
    numbers = [beat.number for beat in beats]
    assert numbers == sorted(set(numbers))
    kinds = [event.kind for event in found.events if event.topic is Topic.HEARTBEAT]
    assert kinds == [Kind.BEAT] * len(beats) + [Kind.GOODBYE]
