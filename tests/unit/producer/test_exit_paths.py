"""How programs end, and the recorded end of their runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.format import TopicCode
from tests.trainers import run_folders
from tests.unit.producer.programs import BEGIN, environment, finished, started
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
        ("sys.exit('message')", 1, "failed", 1, "SystemExit: message"),
        ("try:\n    sys.exit(3)\nexcept SystemExit:\n    pass", 0, "finished", 0, ""),
        ("raise SystemExit(4)", 4, "finished", 0, "SystemExit with a code that is not known"),
        ("exit(4)", 4, "finished", 0, "SystemExit with a code that is not known"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "killed", 255, "interrupted (Ctrl-C)"),
        ("with run:\n    pass", 0, "finished", 0, ""),
        ("with run:\n    raise ValueError('inside')", 1, "failed", 1, "ValueError: inside"),
        ("with run:\n    sys.exit(0)", 0, "failed", 1, "exit code 1"),
        ("with run:\n    sys.exit(5)", 5, "failed", 1, "exit code 5"),
        ("with run:\n    raise KeyboardInterrupt", -signal.SIGINT, "killed", 1, "interrupted (Ctrl-C)"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "killed", 143, "killed by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "killed", 255, "interrupted (Ctrl-C)"),
        ("t = threading.Thread(target=lambda: sys.exit(5)); t.start(); t.join()", 0, "finished", 0, ""),
    ],
)
def test_the_end_is_recorded(  # noqa: PLR0917
    tmp_path: Path, source: str, status: int, state: str, exit_code: int, reason: str
) -> None:
    """The exit records how the program ended, and the program ends as without Runstream."""
    assert status == finished(tmp_path, "run.log({'x': 1})\n" + source)[0]

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (state, exit_code, reason) == (record["state"], record["exit_code"], record["reason"])
    assert ("failure" in record) == reason.startswith(("ValueError: ", "SystemExit: ", "interrupted"))
    assert len(rows(primary(tmp_path))) == 1


@pytest.mark.parametrize("source", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_an_immediate_end_leaves_no_exit(tmp_path: Path, source: str) -> None:
    """If the process ends without running any code, its rows are stored and the exit is left to the shipper."""
    finished(tmp_path, "run.log({'x': 1})\n" + source)

    assert of_topic(primary(tmp_path), TopicCode.EXIT) == []
    assert len(rows(primary(tmp_path))) == 1


def test_an_existing_handler_of_sigterm_is_called(tmp_path: Path) -> None:
    """The handler decides what happens; if the program exits, the run was killed by the signal."""
    before = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('handled'), sys.exit(9)))\n"
    status, output, _ = finished(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)", begin=before + BEGIN)

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (status, output) == (9, "handled\n")
    assert (record["state"], record["signal"]) == ("killed", signal.SIGTERM)


def test_a_handled_sigterm_does_not_affect_a_run_that_finishes(tmp_path: Path) -> None:
    """A program that continues after SIGTERM and finishes its run has finished."""
    before = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
    finished(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)\nrun.log({})\nrun.finish()", begin=before + BEGIN)

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["state"] == "finished"


def test_sigterm_while_logging_leaves_whole_rows(tmp_path: Path) -> None:
    """SIGTERM while rows are logged as fast as possible leaves complete rows followed by the exit."""
    with started(tmp_path, "print('go', flush=True)\nwhile True:\n    run.log({'x': 1})") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        process.terminate()
        assert process.wait(120) == -signal.SIGTERM

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["state"] == "killed"


@pytest.mark.parametrize("method", ["file", "module"])
def test_a_bare_system_exit_is_left_to_the_exit_status(tmp_path: Path, method: str) -> None:
    """The exit status decides however the script was started, but not if the script returned."""
    for name, end in (("leaves", "raise SystemExit(4)"), ("returns", "pass")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "script.py").write_text(f"{BEGIN}\n{end}\n")
        arguments = ["script.py"] if method == "file" else ["-m", "script"]
        subprocess.run([sys.executable, *arguments], cwd=folder, env=environment(folder), check=False)

    (left,), (returned,) = (of_topic(primary(tmp_path / name), TopicCode.EXIT) for name in ("leaves", "returns"))
    assert left["by_status"] is True
    assert "by_status" not in returned


@pytest.mark.parametrize("scheduler", ["SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"])
def test_sigterm_from_a_scheduler_is_a_preemption(tmp_path: Path, scheduler: str) -> None:
    """Under Slurm and Kubernetes the run is preempted."""
    finished(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)", **{scheduler: "1"})

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (record["state"], record["reason"]) == ("preempted", "preempted; killed by SIGTERM")


@pytest.mark.parametrize(
    ("end", "state"), [("run.finish()", "finished"), ("run.finish(2)", "preempted"), ("raise ValueError", "preempted")]
)
def test_an_announced_preemption_is_the_reason_of_an_unclean_end(tmp_path: Path, end: str, state: str) -> None:
    """A run that finishes is finished; the announcement is an attribute of the run."""
    finished(tmp_path, f"run.mark_preempting()\n{end}")

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert record["state"] == state
    assert [["attribute", "set", ["preempting"], True]] in of_topic(primary(tmp_path), TopicCode.CONFIG)


def test_an_offline_run_has_a_status_until_its_end(tmp_path: Path) -> None:
    """All records of an offline run are pending; after detach(), status() and mark_preempting() are errors."""
    source = """
before = run.status()
for _ in range(10):
    run.log({"x": 1})
after = run.status()
assert after.sync_items_total - before.sync_items_total == 10
assert (after.sync_items_pending, after.sync_time) == (after.sync_items_total, None)
assert not run.should_stop
run.detach()
run.detach()
run.finish(1)
for refused in (run.status, run.mark_preempting):
    try:
        refused()
    except runstream.UsageError as error:
        assert "finished" in str(error)
    else:
        raise AssertionError
"""
    assert finished(tmp_path, source) == (0, "", "")

    (record,) = of_topic(primary(tmp_path), TopicCode.EXIT)
    assert (record["reason"], record["decides"]) == ("detached", False)


def test_hooks_are_removed_by_finish(tmp_path: Path) -> None:
    """After finish(), the hooks and streams of the interpreter are those from before."""
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


def test_a_run_is_not_affected_by_hooks_of_earlier_runs(tmp_path: Path) -> None:
    """Hooks that cannot be removed, below others or in another thread, have no effect on the next run."""
    source = """
original = sys.excepthook
sys.excepthook = lambda *error: original(*error)
thread = threading.Thread(target=run.finish)
thread.start()
thread.join()
second = runstream.init(project="demo", id="r2", mode="offline", settings={"silent": True})
second.finish()
third = runstream.init(project="demo", id="r3", mode="offline", settings={"silent": True})
"""
    ends = {"raise ValueError('once')": (1, "failed"), "os.kill(os.getpid(), signal.SIGTERM)": (-15, "killed")}
    for number, (end, (status, state)) in enumerate(ends.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        code, _, errors = finished(folder, source + end)
        assert (code, errors.count("ValueError: once")) == (status, int(status == 1))
        records = [of_topic(writers(path, "primary")[0], TopicCode.EXIT)[0] for path in sorted(run_folders(folder))]
        assert sorted(record["state"] for record in records) == sorted(["finished", "finished", state])


FORKS: dict[str, Any] = {
    "os.fork": "pid = os.fork()\nif pid == 0:\n    {}\n    sys.exit(0)\nos.waitpid(pid, 0)",
    "multiprocessing": (
        "import multiprocessing\ndef work():\n    {}\n"
        "p = multiprocessing.get_context('fork').Process(target=work)\np.start()\np.join()"
    ),
}


@pytest.mark.parametrize("method", FORKS)
def test_a_forked_child_is_a_separate_writer(tmp_path: Path, method: str) -> None:
    """The rows of a child continue the steps of its parent in its own spool, and it has its own end."""
    logging = "run.log({'child': 1}); run.log({'child': 2}); run.summary['c'] = 1"
    source = "run.log({'x': 0})\n" + FORKS[method].format(logging) + "\nrun.log({'x': 1})"
    assert finished(tmp_path, source)[0] == 0

    (child,) = writers(only_run(tmp_path), "child")
    assert [(row.step, row.values) for row in rows(child)] == [(1, {"child": 1}), (2, {"child": 2})]
    assert [record["state"] for record in of_topic(child, TopicCode.EXIT)] == ["finished"]
    assert of_topic(child, TopicCode.SUMMARY) == [[["set", ["c"], 1]]]
    assert [(row.step, row.values) for row in rows(primary(tmp_path))] == [(0, {"x": 0}), (1, {"x": 1})]
    assert [record["state"] for record in of_topic(primary(tmp_path), TopicCode.EXIT)] == ["finished"]


@pytest.mark.parametrize("method", FORKS)
def test_a_forked_child_that_does_not_log_is_not_a_writer(tmp_path: Path, method: str) -> None:
    """A worker that never logs has no spool, and its end does not end the run."""
    finished(tmp_path, FORKS[method].format("pass") + "\nrun.log({'x': 1})")

    assert writers(only_run(tmp_path), "child") == []
    assert len(rows(primary(tmp_path))) == 1
    assert len(of_topic(primary(tmp_path), TopicCode.EXIT)) == 1


def test_a_failing_worker_does_not_fail_the_run(tmp_path: Path) -> None:
    """An exception in a forked worker is the end of its writer only."""
    finished(tmp_path, FORKS["multiprocessing"].format("run.log({}); raise ValueError('worker')"))

    (child,) = writers(only_run(tmp_path), "child")
    assert [record["state"] for record in of_topic(child, TopicCode.EXIT)] == ["failed"]
    assert [record["state"] for record in of_topic(primary(tmp_path), TopicCode.EXIT)] == ["finished"]


def test_a_fork_while_threads_log_does_not_hang(tmp_path: Path) -> None:
    """A child forked while another thread is in log() can log at once."""
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


def test_children_that_are_terminated_as_they_are_forked_end(tmp_path: Path) -> None:
    """Each child ends by the signal, whichever thread forked it, also if the signal arrives before it runs."""
    source = """
def child():
    pid = os.fork()
    if pid == 0:
        for _ in range(200):
            time.sleep(0.01)
        os._exit(0)
    os.kill(pid, signal.SIGTERM)
    ended.append(os.WTERMSIG(os.waitpid(pid, 0)[1]))
ended = []
for _ in range(20):
    child()
    thread = threading.Thread(target=child)
    thread.start()
    thread.join()
assert ended == [signal.SIGTERM] * 40
os.kill(os.getpid(), signal.SIGTERM)
"""
    status, _, errors = finished(tmp_path, source)

    assert (status, errors) == (-signal.SIGTERM, "")
