"""How a process ends and the state of its run afterwards: every row of the table in docs/liveness.md."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.scripts import (
    BEGIN,
    READY,
    SEEN,
    WAIT,
    ended,
    release,
    states,
    trained,
    training,
    wait_for,
    wait_running,
)
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
        ("sys.exit('no')", 1, "failed", "SystemExit: no"),
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
def test_run_state_follows_from_how_the_process_ends(  # noqa: PLR0917
    stack: Stack, server: Server, tmp_path: Path, source: str, status: int, state: str, reason: str
) -> None:
    """Each kind of end has its state and reason, and the exit status is that of the program without Runstream."""
    run_id = new_id()

    assert trained(stack, tmp_path, run_id, source) == status

    assert ended(server, run_id) == (state, reason)
    failure = server.run(run_id)["failure"]
    is_expected = reason.startswith(("ValueError", "SystemExit: ", "interrupted"))
    assert (failure is not None and "Traceback (most" in failure["traceback"]) == is_expected


def test_exit_status_survives_kill_of_the_shipper(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A new shipper continues, waits for the process to end, and reports its exit status."""
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


def test_exit_status_survives_a_broker_outage(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A process that ended before its rows were delivered has the right state once the broker is back."""
    run_id = new_id()
    waiting = READY + WAIT + "run.log({'x': 2})\nraise SystemExit(4)\n"
    with training(stack, tmp_path, run_id, waiting, RUNSTREAM_FINISH_TIMEOUT_S="0.5") as process:
        wait_for(process, "ready")
        broker = stack.pid("kafka")
        os.kill(broker, signal.SIGSTOP)
        try:
            process.communicate("\n", timeout=120)
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
    "forked and failing": "pid = os.fork()\nif pid == 0:\n    raise ValueError\nos.waitpid(pid, 0)",
    "multiprocessing": (
        "p = multiprocessing.get_context('fork').Process(target=lambda: run.log({'y': 1}) or sys.exit(8))\n"
        "p.start()\np.join()"
    ),
}


@pytest.mark.parametrize("child", _CHILDREN)
def test_end_of_a_child_does_not_end_the_run(stack: Stack, server: Server, tmp_path: Path, child: str) -> None:
    """However a child of the training process ends, the run continues and ends with its own process."""
    run_id = new_id()
    source = f"{_CHILDREN[child]}\n{SEEN}\nrun.log({{'x': 2}})"

    assert trained(stack, tmp_path, run_id, source) == 0

    assert ended(server, run_id) == ("finished", "")


def test_silent_run_is_presumed_crashed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """If trainer, shipper and guardian are all killed, the run becomes crashed (presumed)."""
    run_id = new_id()
    source = (
        READY
        + WAIT
        + "from runstream.spool.control_page import ControlPage, Word\n"
        + "from pathlib import Path\n"
        + "page = ControlPage(Path(run.dir).parent / 'control')\n"
        + "for pid in (page[Word.GUARDIAN_PID], page[Word.SHIPPER_PID], os.getpid()):\n"
        + "    os.kill(pid, signal.SIGKILL)\n"
    )
    with training(stack, tmp_path, run_id, source) as process:
        wait_running(process, server, run_id)
        release(process)
        assert process.wait(120) == -signal.SIGKILL

    eventually(lambda: server.run(run_id)["state"] == "crashed", within=120)
    assert server.run(run_id)["qualifiers"] == ["presumed"]


def test_preemption_is_reported_although_the_process_is_killed_at_once(
    stack: Stack, server: Server, tmp_path: Path
) -> None:
    """A preemption announced just before SIGKILL is delivered and is the reason of the end."""
    run_id = new_id()
    source = READY + WAIT + "run.mark_preempting()\nos.kill(os.getpid(), signal.SIGKILL)"
    with training(stack, tmp_path, run_id, source) as process:
        wait_running(process, server, run_id)
        release(process)
        process.wait(120)
        eventually(lambda: server.run(run_id)["preempting"])

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
def test_end_of_a_preempting_run(stack: Stack, server: Server, tmp_path: Path, source: str, state: str) -> None:
    """The run is preempting while the process runs; how the process ends decides whether it was preempted."""
    run_id = new_id()
    with training(stack, tmp_path, run_id, READY + WAIT + "run.mark_preempting()\n" + WAIT + source) as process:
        wait_running(process, server, run_id)
        release(process)
        eventually(lambda: server.run(run_id)["state"] == "preempting")
        release(process)
        process.wait(120)

    assert ended(server, run_id)[0] == state
    assert states(server, run_id)[-2:] == ["preempting", state]


@pytest.mark.parametrize("scheduler", ["SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"])
def test_sigterm_from_a_scheduler_is_a_preemption(stack: Stack, server: Server, tmp_path: Path, scheduler: str) -> None:
    """Under Slurm and Kubernetes, SIGTERM announces preemption: the run was preempted, not killed."""
    run_id = new_id()
    with training(stack, tmp_path, run_id, READY + WAIT, **{scheduler: "17"}) as process:
        wait_for(process, "ready")
        process.terminate()
        assert process.wait(120) == -signal.SIGTERM

    assert ended(server, run_id) == ("preempted", "preempted; killed by SIGTERM")


def test_handler_of_a_scheduler_sigterm_can_finish(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A program that handles SIGTERM is preempting while it saves its work, and preempted even if it exits with 0."""
    run_id = new_id()
    before = "import os, signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (os.read(0, 1), sys.exit(0)))\n"
    source = before + BEGIN.format(run_id=run_id) + READY + "signal.pause()"
    with training(stack, tmp_path, new_id(), f"run.finish()\nexec({source!r})", SLURM_JOB_ID="17") as process:
        wait_running(process, server, run_id)
        process.terminate()
        eventually(lambda: server.run(run_id)["state"] == "preempting")
        release(process)
        assert process.wait(120) == 0

    assert ended(server, run_id)[0] == "preempted"


def test_preempted_run_is_running_again_after_a_resume(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A new process that resumes the run reopens it."""
    run_id = new_id()
    assert trained(stack, tmp_path, run_id, SEEN + "run.mark_preempting()\nos._exit(1)") == 1
    assert ended(server, run_id)[0] == "preempted"

    with training(stack, tmp_path, run_id, READY + WAIT, RUNSTREAM_RESUME="allow") as process:
        wait_running(process, server, run_id)
