"""Starting, stopping and restarting a local stack; no process of it is left running."""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from runstream_deploy.processes.child import Identity
from runstream_deploy.processes.ports import is_free
from runstream_deploy.services.java import find_java
from tests.conftest import run_aside
from tests.integration.deploy.stacks import arguments_of, await_exit, foreground, stack_command, starting
from tests.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore

#: Longer than the reaper waits before it kills.
_REAPED_S = 40.0


def test_signals_stop_the_stack_cleanly_and_restarts_keep_the_data(tmp_path: Path, reaper: Reaper) -> None:
    """SIGINT and SIGHUP end every process with status 0; ports, token, topics and messages stay the same.

    The name of the data folder has spaces, accents and characters beyond 16 bits, which Java must accept, too.
    """
    kept: tuple[dict[str, int], object] | None = None
    # SIGTERM ends the stack of ``test_stack_runs_without_root``.
    for number in (signal.SIGINT, signal.SIGHUP):
        with foreground(tmp_path / "läufe 跑 🚀", reaper) as stack:
            assert all(row.condition == "running" for row in stack.services())
            found = (stack.ports(), json.loads(stack.folder.discovery.read_text()))
            if kept is None:
                run_aside(_send(stack.ports()["kafka"], b"kept"))
                kept = found
            assert found == kept
            assert run_aside(_first(stack.ports()["kafka"])) == b"kept"
            processes = stack.all_processes()
            stack.process.send_signal(number)
            assert stack.process.wait(120) == 0
            await_exit(processes, within=1)
            assert [port for port in stack.ports().values() if not is_free(port)] == []


async def _send(port: int, message: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{port}")
    await producer.start()
    try:
        await producer.send_and_wait("runstream.alert", message, partition=0)
    finally:
        await producer.stop()


async def _first(port: int) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{port}", auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition("runstream.alert", 0)])
        return bytes((await consumer.getone()).value)
    finally:
        await consumer.stop()


def test_comma_in_the_name_of_a_data_folder_is_refused(tmp_path: Path) -> None:
    """Kafka would read two folders."""
    done = stack_command("up", "--data-dir", str(tmp_path / "a,b"))
    assert done.returncode == 1
    assert "a comma" in done.stderr


def test_killed_supervisor_leaves_no_process(tmp_path: Path, reaper: Reaper) -> None:
    """After SIGKILL of the supervisor every process exits, and the next start has all data.

    Suspended services, which cannot handle signals, are killed. If the reaper is killed at the same moment, the kernel
    signals every service.
    """
    with foreground(tmp_path / "data", reaper) as stack:
        run_aside(_send(stack.ports()["kafka"], b"kept"))
        processes = stack.all_processes()
        stack.process.kill()
        await_exit(processes, within=_REAPED_S)

    with foreground(tmp_path / "data", reaper) as stack:
        assert run_aside(_first(stack.ports()["kafka"])) == b"kept"
        processes = stack.all_processes()
        for row in stack.services():
            if row.pid:
                os.kill(row.pid, signal.SIGSTOP)
        stack.process.kill()
        await_exit(processes, within=_REAPED_S)

    with foreground(tmp_path / "data", reaper) as stack:
        assert run_aside(_first(stack.ports()["kafka"])) == b"kept"
        processes = stack.all_processes()
        watcher = next(pid for pid, _ in processes if b"reaper.py" in arguments_of(pid))
        stack.process.send_signal(signal.SIGSTOP)
        os.kill(watcher, signal.SIGKILL)
        stack.process.kill()
        await_exit(processes, within=_REAPED_S)


def test_supervisor_killed_during_start_leaves_no_process(tmp_path: Path, reaper: Reaper) -> None:
    """Every process started so far exits, and the folder is unlocked."""
    with starting(tmp_path / "data", reaper) as stack:
        eventually(lambda: len(stack.all_processes()) > 1, every=0.005)
        processes = stack.all_processes()
        stack.process.kill()
        await_exit(processes, within=_REAPED_S)
        eventually(lambda: not stack.folder.is_held(), within=_REAPED_S)
        assert [port for port in stack.ports().values() if not is_free(port)] == []


def test_down_stops_a_detached_stack(tmp_path: Path) -> None:
    """``up --detach`` returns once the stack runs, ``down`` once it has exited; a second ``down`` succeeds, too."""
    data = str(tmp_path / "data")
    started = stack_command("up", "--detach", "--data-dir", data)
    assert started.returncode == 0, started.stderr
    assert "http://127.0.0.1:" in started.stderr
    status = json.loads(stack_command("status", "--json", "--data-dir", data).stdout)
    assert status["healthy"], status
    first, second = (stack_command("down", "--data-dir", data) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "No stack is running on" in second.stderr
    assert stack_command("status", "--data-dir", data).returncode == 1


def test_used_port_is_an_error_that_names_the_process(tmp_path: Path, reaper: Reaper) -> None:
    """If another process listens on a port of the stack, ``up`` exits with 1 and names that process."""
    with starting(tmp_path / "data", reaper) as stack:
        port = eventually(lambda: stack.folder.stack.exists() and stack.ports()["postgres"])
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = stack_command("up", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert f"process {os.getpid()}" in done.stderr


def test_stack_runs_without_root(tmp_path: Path, reaper: Reaper) -> None:
    """The stack starts as a user without the capabilities of root; SIGTERM ends every process with status 0."""
    identity = Identity.NAMESPACE if os.geteuid() == 0 else Identity.SAME
    with foreground(tmp_path / "data", reaper, identity=identity) as stack:
        processes = stack.all_processes()
        status = json.loads(stack_command("status", "--json", "--data-dir", str(stack.folder.path)).stdout)
        assert status["healthy"], status
        stack.process.terminate()
        assert stack.process.wait(120) == 0
        await_exit(processes, within=1)
        assert [port for port in stack.ports().values() if not is_free(port)] == []


@pytest.fixture
def elsewhere(broker: str, prefix: str, database: str, object_store: ObjectStore) -> dict[str, str]:
    """Return settings that name external servers."""
    return {
        "RUNSTREAM_KAFKA": broker,
        "RUNSTREAM_POSTGRES": database,
        "RUNSTREAM_S3_ENDPOINT": object_store.endpoint,
        "RUNSTREAM_S3_ACCESS_KEY": object_store.access_key,
        "RUNSTREAM_S3_SECRET_KEY": object_store.secret_key,
        "RUNSTREAM_PREFIX": prefix,
        "RUNSTREAM_PARTITIONS": "2",
    }


def test_external_services_are_used(tmp_path: Path, reaper: Reaper, elsewhere: dict[str, str]) -> None:
    """If the settings name Kafka, Postgres and S3, only the consumers and the API are started."""
    with foreground(tmp_path / "data", reaper, settings=elsewhere) as stack:
        status = json.loads(stack_command("status", "--json", "--data-dir", str(stack.folder.path), settings={}).stdout)
    assert {row["name"]: row["condition"] for row in status["services"]} == {
        **dict.fromkeys(["kafka", "postgres", "s3"], "outside"),
        **dict.fromkeys(["alerts", "artifacts", "files", "history", "liveness", "summary"], "running"),
        **dict.fromkeys(["compactor", "api"], "running"),
    }
    assert status["healthy"]


def test_external_service_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """If the settings name a broker that does not answer, ``up`` exits with 1 and names it."""
    done = stack_command("up", "--data-dir", str(tmp_path / "data"), settings={"RUNSTREAM_KAFKA": "127.0.0.1:1"})
    assert done.returncode == 1
    assert "kafka at 127.0.0.1:1 (from the settings) does not answer" in " ".join(done.stderr.split())


def test_signal_ends_the_download(tmp_path: Path, reaper: Reaper) -> None:
    """A signal during the download ends both the command and Maven."""
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\nexec sleep 600\n")
    maven.chmod(0o755)
    settings = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{maven.parent}:{os.environ['PATH']}"}
    with starting(tmp_path / "data", reaper, settings=settings) as stack:
        eventually(lambda: any(b"sleep" in arguments_of(pid) for pid, _ in stack.all_processes()))
        processes = stack.all_processes()
        stack.process.terminate()
        assert stack.process.wait(120) == 0
        await_exit(processes, within=1)


def test_a_missing_maven_is_an_error_with_instructions(tmp_path: Path) -> None:
    """If neither the jars nor Maven are installed, ``up`` exits with 1 and prints what to install."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.symlink_to(find_java().program)
    settings = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(java.parent), "JAVA_HOME": ""}
    done = stack_command("up", "--data-dir", str(tmp_path / "data"), settings=settings)
    assert done.returncode == 1
    assert "Maven, which downloads Kafka, was not found; install it" in " ".join(done.stderr.split())
