"""Runs whose processes fork, are terminated, or execute another program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from runstream.run_folder.process_identity import process_start
from runstream.spool.control_page import ControlPage, Word
from runstream_schemas.events import ExitState
from runstream_schemas.topics import RunPath
from tests.integration.shipper.runs import Delivered, Server, delivered
from tests.polling import eventually
from tests.unit.producer.conftest import end_delivery
from tests.unit.producer.programs import finished, started
from tests.unit.producer.spooled import only_run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["end_delivery"]

BEGIN = """
import os, signal, sys, threading, time
import runstream
settings = {"silent": True, "console": "off", "finish_timeout_s": float("inf")}
run = runstream.init(project="project", id="r1", settings=settings)
"""
RUN = RunPath(entity="team", project="project", run_id="r1")


@pytest.fixture
def online(server: Server) -> dict[str, str]:
    """Return the variables of programs that deliver to the test's server."""
    names = ("RUNSTREAM_URL", "RUNSTREAM_DATA_DIR", "XDG_CACHE_HOME")
    return {name: server.environment[name] for name in names}


def complete(broker: str, prefix: str, folder: Path) -> Delivered:
    """Wait until the shipper of the only run has delivered everything, and return the events."""
    with ControlPage(only_run(folder) / "control") as control:
        eventually(lambda: control[Word.SHIPPER_PID] == 0)
    return delivered(broker, prefix, RUN)


def test_finish_does_not_wait_for_a_child_that_lives_on(
    tmp_path: Path, online: dict[str, str], broker: str, prefix: str
) -> None:
    """A child that logs all the time is delivered so far when finish() returns, and completely after its end."""
    source = """
read, write = os.pipe()
ready, begun = os.pipe()
if not os.fork():
    os.set_blocking(read, False)
    number = 0
    while True:
        run.log({"n": number})
        number += 1
        if number == 100:
            os.write(begun, b"x")
        time.sleep(0.001)
        try:
            os.read(read, 1)
            os._exit(0)
        except BlockingIOError:
            pass
os.read(ready, 1)
run.log({"n": -1})
run.finish()
print("finished")
os.write(write, b"x")
"""
    status, output, errors = finished(tmp_path, source, begin=BEGIN, **online)

    assert (status, output, errors) == (0, "finished\n", "")
    found = complete(broker, prefix, tmp_path)
    (child,) = found.writers("child")
    rows = [row["n"] for row in found.rows(child) if row is not None]
    assert rows == [*range(len(rows))]
    assert len(rows) >= 100


def test_a_pool_whose_workers_are_terminated_while_they_log_ends(
    tmp_path: Path, online: dict[str, str], broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program exits, every writer has an exit, and no record that was counted is missing."""
    # A process that is terminated while the tracer starts in it may not end.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    source = """
import multiprocessing
def work(n):
    for number in range(1_000_000):
        run.log({"n": number})
        time.sleep(0.001)
context = multiprocessing.get_context("fork")
pools = [context.Pool(3) for _ in range(2)]
jobs = [pool.map_async(work, range(100)) for pool in pools]
# The workers of a pool share locks: if one of them is killed by itself, CPython may hang, with and without a run.
for pause in range(20):
    worker = context.Process(target=work, args=(0,))
    worker.start()
    time.sleep(0.004 * pause)
    worker.terminate()
    worker.join()
pools[0].terminate()
pools[0].join()
print("terminated")
"""
    status, output, _ = finished(tmp_path, source, begin=BEGIN, **online)

    assert (status, output) == (0, "terminated\n")
    found = complete(broker, prefix, tmp_path)
    exits = found.exits()
    for writer in found.writers("child"):
        rows = found.rows(writer)
        assert rows == [{"n": number} for number in range(len(rows))]
    assert {*exits} == {event.writer.id for event in found.events}


def test_the_writer_of_a_process_that_executes_another_program_ends(
    tmp_path: Path, online: dict[str, str], broker: str, prefix: str
) -> None:
    """The run is complete although the process lives on, and its shipper exits."""
    source = """
run.log({"n": 1})
print("logged", flush=True)
os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
"""
    with started(tmp_path, source, begin=BEGIN, **online) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        started_at = process_start(process.pid)
        with ControlPage(only_run(tmp_path) / "control") as control:
            shipper = eventually(lambda: control[Word.SHIPPER_PID])
        eventually(lambda: not os.path.exists(f"/proc/{shipper}"))  # noqa: PTH110
        found = delivered(broker, prefix, RUN)

        assert process_start(process.pid) == started_at
        (primary,) = found.writers("primary")
        assert found.rows(primary) == [{"n": 1}]
        ending = found.exits()[primary].ending
        assert (ending.state, ending.reason) == (
            ExitState.FINISHED,
            "executed another program (exec) without finish()",
        )


@pytest.mark.parametrize(
    "damage", ["os.unlink(segments[1])", "os.unlink(segments[-1])", "os.truncate(segments[-1], 0)"]
)
def test_a_damaged_spool_is_delivered_as_far_as_it_is_left(  # noqa: PLR0917 - fixtures
    tmp_path: Path, online: dict[str, str], server: Server, broker: str, prefix: str, damage: str
) -> None:
    """Segments that are deleted or truncated while the broker is away are marked as lost, and finish() returns."""
    server.answer["brokers"] = "127.0.0.1:1"
    # The segment in use is about half full: the rows that follow the damage fit into it.
    source = f"""
import glob
(spool,) = glob.glob(run.dir + "/../spool/*/")  # before the shipper begins to write
for number in range(15_000):
    run.log({{"n": number, "text": "x" * 40}})
segments = sorted(glob.glob(spool + "*.seg"))
{damage}
time.sleep(0.001)
for number in range(15_000, 15_100):
    run.log({{"n": number}})
print(len(segments), flush=True)
run.finish()
print("finished")
"""
    with started(tmp_path, source, begin=BEGIN, **online) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 2
        server.answer["brokers"] = broker
        output, _ = process.communicate(timeout=240)

    assert (process.returncode, output) == (0, "finished\n")
    found = complete(broker, prefix, tmp_path)
    (primary,) = found.writers("primary")
    rows = found.rows(primary)
    assert len(rows) == 15_100
    assert [row["n"] for row in rows if row is not None] == [n for n, row in enumerate(rows) if row is not None]
    assert all(rows[15_000:])
    # The segment in use is written again from memory.
    assert all(rows) or damage != "os.unlink(segments[-1])"
