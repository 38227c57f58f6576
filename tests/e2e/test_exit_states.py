"""How processes end, and what their runs are then: each row of the table in docs/liveness.md, with real processes."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.scripts import BEGIN, READY, SEEN, ended, states, trained, training, wait_for
from tests.polling import eventually
from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack
    from tests.trainers import Server


@pytest.mark.parametrize(
    ("source", "status", "state", "reason"),
    [
        ("run.finish()", 0, "finished", ""),
        ("", 0, "finished", ""),
        ("sys.exit()", 0, "finished", ""),
        ("run.finish(exit_code=3)", 0, "failed", "exit code 3"),
        ("run.finish(); run.finish(1); runstream.finish(1)", 0, "finished", ""),
        ("raise ValueError('too bad')", 1, "failed", "ValueError: too bad"),
        ("sys.exit(7)", 7, "failed", "exit code 7"),
        ("sys.exit('no')", 1, "failed", "exit code 1"),
        ("raise SystemExit(4)", 4, "failed", "exit status 4 without finish()"),
        ("raise SystemExit", 0, "finished", "exit status 0 without finish()"),
        ("exit(5)", 5, "failed", "exit status 5 without finish()"),
        ("def main():\n    raise SystemExit('no')\nmain()", 1, "failed", "exit status 1 without finish()"),
        ("try:\n    sys.exit(3)\nexcept SystemExit:\n    pass", 0, "finished", ""),
        (SEEN + "os._exit(0)", 0, "finished", "exit status 0 without finish()"),
        (SEEN + "os._exit(6)", 6, "failed", "exit status 6 without finish()"),
        ("with run:\n    raise ValueError('inside')", 1, "failed", "ValueError: inside"),
        ("with run:\n    sys.exit(0)", 0, "failed", "exit code 1"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "killed", "interrupted (Ctrl-C)"),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "killed", "interrupted (Ctrl-C)"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "killed", "killed by SIGTERM"),
        (SEEN + "os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "crashed", "ended by SIGKILL"),
        (SEEN + "os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, "crashed", "ended by SIGSEGV"),
        ("t = threading.Thread(target=run.finish, args=(2,)); t.start(); t.join()", 0, "failed", "exit code 2"),
        ("t = threading.Thread(target=lambda: sys.exit(5)); t.start(); t.join()", 0, "finished", ""),
    ],
)
def test_the_way_a_process_ends_is_the_state_of_its_run(  # noqa: PLR0917
    stack: Stack, server: Server, tmp_path: Path, source: str, status: int, state: str, reason: str
) -> None:
    """Each way to end has its state and its reason, and the program ends as it would without us."""
    run_id = new_id()

    assert trained(stack, tmp_path, run_id, source) == status

    assert ended(server, run_id) == (state, reason)


def test_an_exit_status_is_known_although_the_shipper_was_killed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Another shipper takes over, waits for the end of the process, and tells its status."""
    run_id = new_id()
    source = (
        READY
        + "from runstream.spool.control_page import ControlPage, Word\n"
        + "from pathlib import Path\n"
        + "os.kill(ControlPage(Path(run.dir).parent / 'control')[Word.SHIPPER_PID], signal.SIGKILL)\n"
        + "run.log({'x': 2})\nraise SystemExit(4)\n"
    )

    assert trained(stack, tmp_path, run_id, source) == 4

    assert ended(server, run_id) == ("failed", "exit status 4 without finish()")
    assert len(server.rows(run_id)) == 2


def test_an_exit_status_is_known_although_the_broker_was_away(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A process that could not wait for delivery has the state of its exit status once the broker is back."""
    run_id = new_id()
    waiting = READY + "sys.stdin.readline()\nrun.log({'x': 2})\nraise SystemExit(4)\n"
    with training(stack, tmp_path, run_id, waiting, RUNSTREAM_FINISH_TIMEOUT_S="0.5") as process:
        wait_for(process, "ready")
        broker = stack.pid("kafka")
        os.kill(broker, signal.SIGSTOP)
        try:
            process.communicate("\n", timeout=30)
        finally:
            os.kill(broker, signal.SIGCONT)
        assert process.returncode == 4

    assert ended(server, run_id) == ("failed", "exit status 4 without finish()")
    assert len(server.rows(run_id)) == 2


_CHILDREN = {
    "subprocess": "subprocess.run([sys.executable, '-c', 'raise SystemExit(3)'])",
    "spawned": "subprocess.run([sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'])",
    "forked": "pid = os.fork()\nif pid == 0:\n    os._exit(9)\nos.waitpid(pid, 0)",
    "forked and logging": (
        "pid = os.fork()\nif pid == 0:\n    run.log({'y': 1})\n    raise ValueError\nos.waitpid(pid, 0)"
    ),
    "multiprocessing": (
        "p = multiprocessing.get_context('fork').Process(target=lambda: run.log({'y': 1}) or sys.exit(8))\n"
        "p.start()\np.join()"
    ),
}


@pytest.mark.parametrize("child", _CHILDREN)
def test_the_end_of_a_child_is_not_that_of_the_run(stack: Stack, server: Server, tmp_path: Path, child: str) -> None:
    """However a child of the training process ends, the run goes on, and finishes as its own process does."""
    run_id = new_id()
    source = f"{_CHILDREN[child]}\n{SEEN}\nrun.log({{'x': 2}})"

    assert trained(stack, tmp_path, run_id, source) == 0

    assert ended(server, run_id) == ("finished", "")


def test_silence_is_a_crash(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Where nobody is left to say anything, the run is crashed, presumably."""
    run_id = new_id()
    source = (
        SEEN
        + "from runstream.spool.control_page import ControlPage, Word\n"
        + "from pathlib import Path\n"
        + "page = ControlPage(Path(run.dir).parent / 'control')\n"
        + "time.sleep(1)\n"
        + "for pid in (page[Word.GUARDIAN_PID], page[Word.SHIPPER_PID], os.getpid()):\n"
        + "    os.kill(pid, signal.SIGKILL)\n"
    )

    assert trained(stack, tmp_path, run_id, source) == -signal.SIGKILL

    eventually(lambda: server.run(run_id)["state"] == "crashed", within=60)
    assert server.run(run_id)["qualifiers"] == ["presumed"]


def test_a_preemption_is_known_although_the_process_is_killed_at_once(
    stack: Stack, server: Server, tmp_path: Path
) -> None:
    """What was announced with the last breath can be read a second later, and explains the end."""
    run_id = new_id()
    with training(
        stack,
        tmp_path,
        run_id,
        READY + "time.sleep(0.5)\nrun.mark_preempting()\nos.kill(os.getpid(), signal.SIGKILL)",
    ) as process:
        wait_for(process, "ready")
        process.wait(30)
        died = time.monotonic()
        eventually(lambda: server.run(run_id)["preempting"], every=0.02)
        assert time.monotonic() - died <= 1.0

    assert ended(server, run_id) == ("preempted", "preempted; ended by SIGKILL")


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", "preempted"),
        ("os._exit(1)", "preempted"),
        ("raise ValueError", "preempted"),
        ("raise SystemExit(3)", "preempted"),
        ("run.finish()", "finished"),
        ("sys.exit(0)", "finished"),
    ],
)
def test_a_run_that_is_being_preempted(stack: Stack, server: Server, tmp_path: Path, source: str, state: str) -> None:
    """It is preempting at once; how it then ends decides whether it was preempted."""
    run_id = new_id()
    waiting = "run.mark_preempting()\nprint('marked', flush=True)\ntime.sleep(2)\n"
    with training(stack, tmp_path, run_id, READY + "time.sleep(0.7)\n" + waiting + source) as process:
        wait_for(process, "marked")
        eventually(lambda: server.run(run_id)["state"] == "preempting", within=1.5, every=0.02)
        process.wait(60)

    assert ended(server, run_id)[0] == state
    assert states(server, run_id)[-2:] == ["preempting", state]


@pytest.mark.parametrize("scheduler", ["SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"])
def test_sigterm_of_a_scheduler_is_a_preemption(stack: Stack, server: Server, tmp_path: Path, scheduler: str) -> None:
    """Under Slurm and Kubernetes SIGTERM means that the machine is wanted: the run was preempted, not killed."""
    run_id = new_id()
    with training(stack, tmp_path, run_id, READY + "time.sleep(60)", **{scheduler: "17"}) as process:
        wait_for(process, "ready")
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM

    assert ended(server, run_id) == ("preempted", "preempted; killed by SIGTERM")


def test_a_handler_of_a_schedulers_sigterm_has_time(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A program that handles SIGTERM is preempting while it saves its work; that it exits in order changes nothing."""
    run_id = new_id()
    before = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(2), sys.exit(0)))\n"
    source = before + BEGIN.format(run_id=run_id) + READY + "time.sleep(60)"
    with training(stack, tmp_path, new_id(), f"run.finish()\nexec({source!r})", SLURM_JOB_ID="17") as process:
        wait_for(process, "ready")
        time.sleep(0.7)
        process.terminate()
        eventually(lambda: server.run(run_id)["state"] == "preempting", within=2)
        assert process.wait(30) == 0

    assert ended(server, run_id)[0] == "preempted"


def test_a_preempted_run_runs_again_when_it_is_resumed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A new process that carries the run on reopens it."""
    run_id = new_id()
    assert trained(stack, tmp_path, run_id, SEEN + "run.mark_preempting()\nos._exit(1)") == 1
    assert ended(server, run_id)[0] == "preempted"

    again = READY + "time.sleep(60)"
    with training(stack, tmp_path, run_id, again, RUNSTREAM_RESUME="allow") as process:
        wait_for(process, "ready")
        eventually(lambda: server.run(run_id)["state"] == "running")
