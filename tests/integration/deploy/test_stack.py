"""The local stack as ``runstream up`` runs it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx

from runstream_deploy.processes.reaper import descendants
from tests.integration.deploy.stacks import arguments_of
from tests.polling import eventually

if TYPE_CHECKING:
    from tests.running_stack import Stack


_CONSUMERS = ("alerts", "artifacts", "files", "history", "liveness", "summary")


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the data folder of the stack."""
    return subprocess.run(
        [sys.executable, "-m", "runstream_deploy", *arguments],
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_status_of_a_healthy_stack(stack: Stack) -> None:
    """``status`` exits with 0 and shows each service as running, with process and memory, and the lag of consumers."""
    done = eventually(lambda: _successful(command(stack, "status", "--json")))
    status = json.loads(done.stdout)
    services = [row for row in status["services"] if row["condition"] != "outside"]
    assert {row["name"]: row["condition"] for row in services} == dict.fromkeys(
        ["kafka", "postgres", "s3", "compactor", "api", *_CONSUMERS], "running"
    )
    assert all(row["pid"] and row["memory"] for row in services)
    with_lag = {row["name"] for row in services if row["lag"] is not None}
    assert with_lag == set(_CONSUMERS)
    assert stack.url == status["url"]


def _successful(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_api_answers_at_the_address_in_the_discovery_file(stack: Stack) -> None:
    """The API accepts the address and token of the discovery file."""
    answer = httpx.get(f"{stack.url}/api/v1/connect", headers={"Authorization": f"Bearer {stack.token}"})
    assert (answer.status_code, answer.json()["entity"]) == (200, stack.entity)


def test_objects_of_the_stack_are_collected_by_a_command(stack: Stack) -> None:
    """``gc`` finds the servers of the stack; nothing is old enough to be deleted."""
    done = _successful(command(stack, "gc", "--dry-run"))
    assert done.stdout.startswith("Would delete 0 objects (0 Bytes) and 0 unfinished uploads.")
    assert _successful(command(stack, "gc")).stdout.startswith("Deleted 0 objects")


def test_files_with_secrets_are_private(stack: Stack) -> None:
    """Only the owner can read discovery.json, stack.json and state.json."""
    modes = {
        name: stat.S_IMODE((stack.data_dir / name).stat().st_mode)
        for name in ("discovery.json", "stack.json", "state.json")
    }
    assert modes == dict.fromkeys(modes, 0o600)


def test_secrets_are_not_in_the_process_list(stack: Stack) -> None:
    """No process of the stack has a password, key or token among its arguments."""
    secrets = json.loads((stack.data_dir / "stack.json").read_text())["secrets"].values()
    supervisor = stack.state().pid
    for pid, _ in [(supervisor, 0), *descendants(supervisor)]:
        assert [secret for secret in secrets if secret.encode() in arguments_of(pid)] == []


def test_a_detached_start_of_a_running_stack_succeeds(stack: Stack) -> None:
    """A second ``up --detach`` prints the address of the running stack, which goes on."""
    supervisor = stack.state().pid
    done = command(stack, "up", "--detach")
    assert done.returncode == 0, done.stderr
    assert stack.url in done.stderr
    assert stack.state().pid == supervisor


def test_second_stack_on_the_same_data_is_refused(stack: Stack) -> None:
    """A second ``up`` exits with 1, names the running process, and does not affect it."""
    done = command(stack, "up")
    assert done.returncode == 1
    assert f"already running on {stack.data_dir} (process {stack.state().pid})" in done.stderr
    assert httpx.get(f"{stack.url}/healthz").status_code == 200
