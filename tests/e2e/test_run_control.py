"""Stop requests, detach(), status(), and runs of several processes."""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream import Api
from runstream.exceptions import UsageError
from tests.e2e.scripts import READY, SEEN, WAIT, ended, release, states, trained, training, wait_for, wait_running
from tests.polling import eventually
from tests.trainers import command, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack
    from tests.trainers import Server

_UNTIL_STOPPED = "until(lambda: run.should_stop)\nprint('stopped', flush=True)\n"


def api_run(stack: Stack, server: Server, run_id: str) -> Any:
    """Return a run through the public API."""
    api = Api(overrides={"base_url": stack.url}, api_key=stack.token)
    return api.run(f"{server.entity}/tests/{run_id}")


def ask_to_stop(server: Server, run_id: str, key: str | None = None) -> httpx.Response:
    """Send a stop command; return the response."""
    headers = {"Authorization": f"Bearer {server.token}"} | ({} if key is None else {"Idempotency-Key": key})
    return httpx.post(f"{server.url}/api/v1/runs/{server.entity}/tests/{run_id}/stop", headers=headers, timeout=120)


def test_stop_request_reaches_the_program(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The program sees the request and finishes: the run was killed, with the stop command as the reason."""
    run_id = new_id()
    with training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED + "run.finish()") as process:
        wait_running(process, server, run_id)
        api_run(stack, server, run_id).stop()
        wait_for(process, "stopped")
        assert process.wait(120) == 0

    assert ended(server, run_id) == ("killed", "stopped by a command")
    assert server.run(run_id)["stop_requested"]


def test_raise_on_stop_interrupts_log_once(stack: Stack, server: Server, tmp_path: Path) -> None:
    """With raise_on_stop, log() raises KeyboardInterrupt once; rows logged during cleanup are kept."""
    run_id = new_id()
    source = (
        READY
        + "try:\n    until(lambda: run.log({'x': 2}))\n"
        # log() looks for a request once a second.
        + "except KeyboardInterrupt:\n    over = time.monotonic() + 1.5\n"
        + "    until(lambda: run.log({'last': 1}) or time.monotonic() > over)\n    raise\n"
    )
    with training(stack, tmp_path, run_id, source, RUNSTREAM_RAISE_ON_STOP="true") as process:
        wait_running(process, server, run_id)
        assert "Requested" in command("stop", f"{server.entity}/tests/{run_id}", environment=stack.environment)
        assert process.wait(120) == -signal.SIGINT

    assert ended(server, run_id) == ("killed", "stopped by a command; interrupted (Ctrl-C)")
    assert server.run(run_id)["summary"]["last"] == 1


def test_repeated_stop_request_is_one_command(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Requests with the same key are one command; requests for an ended or unknown run are refused."""
    run_id, key = new_id(), str(uuid.uuid4())
    with training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED + WAIT) as process:
        wait_running(process, server, run_id)
        answers = [ask_to_stop(server, run_id, key) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        release(process)
        assert process.wait(120) == 0
    ended(server, run_id)

    delivery = server.run(run_id, "/delivery")
    (request,) = [one for one in delivery["writers"] if one["writer"] == uuid.UUID(key).hex]
    assert request["topics"]["config"]["stored"] == 1
    assert ask_to_stop(server, run_id).status_code == httpx.codes.CONFLICT
    with pytest.raises(UsageError, match="nothing to stop"):
        api_run(stack, server, run_id).stop()
    assert ask_to_stop(server, new_id()).status_code == httpx.codes.NOT_FOUND
    assert ask_to_stop(server, run_id, "once").status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_stop_request_does_not_apply_to_later_processes(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A process that resumes a stopped run is not among the writers that were asked to stop."""
    run_id = new_id()
    with training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED) as process:
        wait_running(process, server, run_id)
        assert ask_to_stop(server, run_id).status_code == httpx.codes.OK
        assert process.wait(120) == 0
    ended(server, run_id)

    source = READY + WAIT + "assert not run.should_stop\nrun.finish()"
    with training(stack, tmp_path, run_id, source, RUNSTREAM_RESUME="allow") as process:
        wait_running(process, server, run_id)
        (first, second) = [one for one in server.run(run_id, "/state")["writers"] if one["role"] == "primary"]
        asked = server.run(run_id, "/stop")["writers"]
        assert len({first["writer"], second["writer"]} & set(asked)) == 1
        release(process)
        assert process.wait(120) == 0
    eventually(lambda: server.run(run_id)["state"] == "finished")


def test_command_can_be_repeated_after_a_broker_outage(stack: Stack, server: Server, tmp_path: Path) -> None:
    """While the broker does not answer the response is 503; the same request sent again is one command."""
    run_id, key = new_id(), str(uuid.uuid4())
    with training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED) as process:
        wait_running(process, server, run_id)
        broker = stack.pid("kafka")
        os.kill(broker, signal.SIGSTOP)
        try:
            answer = ask_to_stop(server, run_id, key)
        finally:
            os.kill(broker, signal.SIGCONT)
        assert (answer.status_code, answer.headers["Retry-After"]) == (httpx.codes.SERVICE_UNAVAILABLE, "2")
        assert eventually(lambda: ask_to_stop(server, run_id, key).status_code == httpx.codes.OK)
        assert process.wait(120) == 0
    delivery = server.run(run_id, "/delivery")
    (request,) = [one for one in delivery["writers"] if one["writer"] == uuid.UUID(key).hex]
    assert request["topics"]["config"] == {
        "stored": 1,
        "lost": 0,
        "losses": [],
        "counted": None,
        "missing": [],
    }


def test_stopped_run_that_is_then_killed_is_killed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """If the program ignores a stop request and gets SIGKILL, the run was killed by the command."""
    run_id = new_id()
    with training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED + WAIT) as process:
        wait_running(process, server, run_id)
        assert ask_to_stop(server, run_id).status_code == httpx.codes.OK
        wait_for(process, "stopped")
        process.kill()
        process.wait()
        assert ended(server, run_id) == ("killed", "stopped by a command; ended by SIGKILL")


_ANSWERS = """
for line in sys.stdin:
    for _ in range(int(line)):
        run.log({"x": 2})
    status = run.status()
    print(status.sync_items_total, status.sync_items_pending, status.sync_time is not None, flush=True)
run.finish()
try:
    run.status()
except runstream.UsageError:
    print("over", flush=True)
"""


def test_status_counts_what_the_broker_has_not_acknowledged(stack: Stack, tmp_path: Path) -> None:
    """The pending count rises during a broker outage and falls afterwards; status() raises after finish()."""
    with training(stack, tmp_path, new_id(), READY + _ANSWERS) as process:

        def log_and_ask(rows: int) -> tuple[int, int, bool]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{rows}\n")
            process.stdin.flush()
            total, pending, synced = process.stdout.readline().split()
            return int(total), int(pending), synced == "True"

        wait_for(process, "ready")
        eventually(lambda: log_and_ask(0)[1:] == (0, True))
        total = log_and_ask(0)[0]
        broker = stack.pid("kafka")
        os.kill(broker, signal.SIGSTOP)
        try:
            assert log_and_ask(50)[:2] == (total + 50, 50)
            for rows in range(51, 61):
                assert log_and_ask(1)[:2] == (total + rows, rows)
        finally:
            os.kill(broker, signal.SIGCONT)
        eventually(lambda: log_and_ask(0)[:2] == (total + 60, 0), within=120)
        output, _ = process.communicate(timeout=120)
        assert output == "over\n"


def test_detached_run_is_pending_until_it_is_resumed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """detach() delivers everything without ending the run, which is pending until a process resumes it."""
    run_id = new_id()
    source = "run.log({'x': 2})\nrun.detach()\nassert runstream.run is None\nrun.detach()\nraise SystemExit(3)"
    assert trained(stack, tmp_path, run_id, source) == 3

    eventually(lambda: server.run(run_id, "/delivery")["complete"])
    assert server.run(run_id)["state"] == "pending"
    assert len(server.rows(run_id)) == 2
    assert not {"finished", "failed"} & set(states(server, run_id))

    assert trained(stack, tmp_path, run_id, "run.finish()", RUNSTREAM_RESUME="allow") == 0
    eventually(lambda: server.run(run_id)["state"] == "finished")


def shared(rank: int, **more: str) -> dict[str, str]:
    """Return the environment of one process of a shared run."""
    return {"RUNSTREAM_MODE": "shared", "RANK": str(rank), **more}


@pytest.mark.parametrize(
    ("ends_with", "between", "end"), [("primary", "finished", "finished"), ("all", "running", "failed")]
)
def test_end_of_a_shared_run(  # noqa: PLR0917
    stack: Stack, server: Server, tmp_path: Path, ends_with: str, between: str, end: str
) -> None:
    """A run ends with its primary or, by setting, with its last process; then the worst outcome is its state."""
    run_id = new_id()
    more = {"RUNSTREAM_X_ENDS_WITH": ends_with}
    primary = training(stack, tmp_path, run_id, READY + WAIT, **shared(0, **more))
    worker = training(stack, tmp_path, run_id, READY + WAIT + "sys.exit(3)", **shared(1, **more))
    with primary as one, worker as other:
        for process in (one, other):
            wait_for(process, "ready")
        eventually(lambda: running_writers(server, run_id) == 2)
        release(one)
        assert one.wait(120) == 0
        eventually(lambda: running_writers(server, run_id) == 1)
        eventually(lambda: server.run(run_id)["state"] == between)
        release(other)
        assert other.wait(120) == 3
        eventually(lambda: server.run(run_id)["state"] == end)
        eventually(lambda: server.run(run_id, "/delivery")["complete"])
        assert server.run(run_id)["state"] == end


def running_writers(server: Server, run_id: str) -> int:
    """Return the number of running training processes of a run."""
    return [one["state"] for one in server.run(run_id, "/state")["writers"] if one["role"] != "shipper"].count(
        "running"
    )


def test_process_without_a_state_vote_does_not_end_a_run(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A failing process with x_update_finish_state=False does not change the state, although the run waits for all."""
    run_id = new_id()
    more = {"RUNSTREAM_X_ENDS_WITH": "all"}
    primary = training(stack, tmp_path, run_id, READY + WAIT, **shared(0, **more))
    with primary as one:
        wait_for(one, "ready")
        aside = shared(1, RUNSTREAM_X_UPDATE_FINISH_STATE="false", **more)
        assert trained(stack, tmp_path, run_id, SEEN + "sys.exit(9)", **aside) == 9
        eventually(lambda: len(server.rows(run_id)) == 2)
        release(one)
        assert one.wait(120) == 0
    eventually(lambda: server.run(run_id)["state"] == "finished")


def test_runs_of_one_process_end_in_any_order(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Runs that are open at the same time have their own end, console and rows, whichever finishes first."""
    first, second, third = new_id(), new_id(), new_id()
    source = f"""
settings = {{"silent": True, "x_disable_stats": True}}
other = runstream.init(project="tests", id={second!r}, reinit="create_new", settings=settings)
last = runstream.init(project="tests", id={third!r}, reinit="create_new", settings=settings)
print("for all", flush=True)
other.log({{"y": 1}})
last.log({{"z": 1}})
other.finish(1)
print("for two", flush=True)
run.finish()
print("for one", flush=True)
raise ValueError("too bad")
"""
    assert trained(stack, tmp_path, first, source) == 1

    assert ended(server, first) == ("finished", "")
    assert ended(server, second) == ("failed", "exit code 1")
    assert ended(server, third) == ("failed", "ValueError: too bad")
    printed = {name: lines(server, name) for name in (first, second, third)}
    assert printed[first] == ["for all", "for two"]
    assert printed[second] == ["for all"]
    assert printed[third][:3] == ["for all", "for two", "for one"]


def lines(server: Server, run_id: str) -> list[str]:
    """Return the console lines of a run, once all of them have arrived."""
    eventually(lambda: server.run(run_id, "/delivery")["complete"])
    return [line["text"] for line in server.run(run_id, "/console")["lines"]]


def test_stop_request_reaches_all_processes_of_a_run(stack: Stack, server: Server, tmp_path: Path) -> None:
    """One request reaches every process of a shared run."""
    run_id = new_id()
    primary = training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED, **shared(0))
    worker = training(stack, tmp_path, run_id, READY + _UNTIL_STOPPED, **shared(1))
    with primary as one, worker as other:
        for process in (one, other):
            wait_for(process, "ready")
        eventually(lambda: running_writers(server, run_id) == 2)
        assert len(ask_to_stop(server, run_id).json()["writers"]) == 2
        assert [process.wait(120) for process in (one, other)] == [0, 0]
    eventually(lambda: server.run(run_id)["state"] == "killed")
