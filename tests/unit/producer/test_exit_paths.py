"""How programs end, and what their runs say of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.format import TopicCode
from tests.unit.producer.programs import BEGIN, finished, started
from tests.unit.producer.spooled import of_topic, only_run, primary, rows, writers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("source", "status", "state", "exit_code", "reason"),
    [
        ("", 0, "finished", 0, ""),
        ("run.finish()", 0, "finished", 0, ""),
        ("run.finish(exit_code=3)", 0, "failed", 3, "exit code 3"),
        ("runstream.finish()\nrun.finish(1)", 0, "finished", 0, ""),
        ("raise ValueError('too bad')", 1, "failed", 1, "ValueError: too bad"),
        ("sys.exit()", 0, "finished", 0, ""),
        ("sys.exit(7)", 7, "failed", 7, "exit code 7"),
        ("sys.exit('message')", 1, "failed", 1, "exit code 1"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "killed", 255, "interrupted (Ctrl-C)"),
        ("with run:\n    pass", 0, "finished", 0, ""),
        ("with run:\n    raise ValueError('inside')", 1, "failed", 1, "ValueError: inside"),
        ("with run:\n    sys.exit(0)", 0, "failed", 1, "exit code 1"),
        ("with run:\n    raise KeyboardInterrupt", -signal.SIGINT, "killed", 255, "interrupted (Ctrl-C)"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "killed", 143, "killed by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "killed", 255, "interrupted (Ctrl-C)"),
        ("t = threading.Thread(target=lambda: sys.exit(5)); t.start(); t.join()", 0, "finished", 0, ""),
    ],
)
def test_the_end_is_recorded(  # noqa: PLR0917
    tmp_path: Path, source: str, status: int, state: str, exit_code: int, reason: str
) -> None:
    """The last record says how the program ended, and the program ends as it would without us."""
    assert status == finished(tmp_path, "run.log({'x': 1})\n" + source)[0]

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (state, exit_code, reason) == (record["state"], record["exit_code"], record["reason"])
    assert len(rows(primary(tmp_path))) == 1


@pytest.mark.parametrize("source", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_an_end_without_a_word_leaves_no_exit(tmp_path: Path, source: str) -> None:
    """Where the process has no chance to say anything, its rows are there and the exit is the shipper's to find."""
    finished(tmp_path, "run.log({'x': 1})\n" + source)

    assert of_topic(primary(tmp_path), TopicCode.EXIT) == []
    assert len(rows(primary(tmp_path))) == 1


def test_a_handler_of_sigterm_that_was_there_is_called(tmp_path: Path) -> None:
    """Who handles SIGTERM decides; if the program then exits, the signal is why."""
    before = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('handled'), sys.exit(9)))\n"
    status, output, _ = finished(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)", begin=before + BEGIN)

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (status, output) == (9, "handled\n")
    assert (record["state"], record["signal"]) == ("killed", signal.SIGTERM)


def test_a_handled_sigterm_does_not_taint_a_run_that_finishes(tmp_path: Path) -> None:
    """A program that handles SIGTERM and goes on finishes as it says."""
    before = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
    finished(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)\nrun.log({})\nrun.finish()", begin=before + BEGIN)

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["state"] == "finished"


def test_sigterm_in_the_middle_of_logging(tmp_path: Path) -> None:
    """SIGTERM while rows are logged as fast as possible leaves whole rows and the exit behind them."""
    with started(tmp_path, "print('go', flush=True)\nwhile True:\n    run.log({'x': 1})") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["state"] == "killed"


def test_hooks_are_taken_back(tmp_path: Path) -> None:
    """After finish() the interpreter's hooks and streams are those from before."""
    source = """
import sys, signal
before = (sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM), sys.stdout.write)
import runstream
run = runstream.init(mode="offline", settings={"silent": True})
assert before != (sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM), sys.stdout.write)
run.finish()
assert before == (sys.excepthook, sys.exit, signal.getsignal(signal.SIGTERM), sys.stdout.write)
"""
    assert finished(tmp_path, source, begin="") == (0, "", "")


FORKS: dict[str, Any] = {
    "os.fork": "pid = os.fork()\nif pid == 0:\n    {}\n    sys.exit(0)\nos.waitpid(pid, 0)",
    "multiprocessing": (
        "import multiprocessing\ndef work():\n    {}\n"
        "p = multiprocessing.get_context('fork').Process(target=work)\np.start()\np.join()"
    ),
}


@pytest.mark.parametrize("way", FORKS)
def test_a_forked_child_is_a_writer_of_its_own(tmp_path: Path, way: str) -> None:
    """A child's rows go on from its parent's step in a spool of its own, and its end is its own."""
    logging = "run.log({'child': 1}); run.log({'child': 2}); run.summary['c'] = 1"
    source = "run.log({'x': 0})\n" + FORKS[way].format(logging) + "\nrun.log({'x': 1})"
    assert finished(tmp_path, source)[0] == 0

    (child,) = writers(only_run(tmp_path), "child")
    assert [(row.step, row.values) for row in rows(child)] == [(1, {"child": 1}), (2, {"child": 2})]
    assert [record["state"] for record in of_topic(child, TopicCode.EXIT)] == ["finished"]
    assert of_topic(child, TopicCode.SUMMARY) == [[["set", ["c"], 1]]]
    assert [(row.step, row.values) for row in rows(primary(tmp_path))] == [(0, {"x": 0}), (1, {"x": 1})]
    assert [record["state"] for record in of_topic(primary(tmp_path), TopicCode.EXIT)] == ["finished"]


@pytest.mark.parametrize("way", FORKS)
def test_a_forked_child_that_says_nothing_leaves_nothing(tmp_path: Path, way: str) -> None:
    """A worker that never logs is no writer, and its end does not end the run."""
    finished(tmp_path, FORKS[way].format("pass") + "\nrun.log({'x': 1})")

    assert writers(only_run(tmp_path), "child") == []
    assert len(rows(primary(tmp_path))) == 1
    assert len(of_topic(primary(tmp_path), TopicCode.EXIT)) == 1


def test_a_worker_that_fails_fails_alone(tmp_path: Path) -> None:
    """An exception in a forked worker is the end of its writer and not of the run."""
    finished(tmp_path, FORKS["multiprocessing"].format("run.log({}); raise ValueError('worker')"))

    (child,) = writers(only_run(tmp_path), "child")
    assert [record["state"] for record in of_topic(child, TopicCode.EXIT)] == ["failed"]
    assert [record["state"] for record in of_topic(primary(tmp_path), TopicCode.EXIT)] == ["finished"]


def test_a_fork_while_threads_log_does_not_hang(tmp_path: Path) -> None:
    """A child forked while another thread is in the middle of log() logs at once."""
    source = """
done = threading.Event()
def work():
    while not done.is_set():
        run.log({"t": 1})
thread = threading.Thread(target=work)
thread.start()
for number in range(20):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        run.log({"child": number})
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
done.set()
thread.join()
"""
    status, _, errors = finished(tmp_path, source)

    assert (status, errors) == (0, "")
    assert len(writers(only_run(tmp_path), "child")) == 20
