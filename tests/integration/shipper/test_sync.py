"""``runstream sync`` delivers runs that were recorded offline or abandoned."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from runstream.run_folder.folder import lock
from runstream.server.connection import Connection, cache_connection
from runstream.server.discovery import Server as ApiServer
from runstream.shipper.sync import RECORDS_LOST, Result, State, deliver_all, run_folders, sync
from runstream.spool.format import Flag
from runstream_schemas.events import ExitState, Kind
from tests.integration.shipper.runs import delivered, new_run
from tests.integration.shipper.test_outages import logged, unused_address
from tests.polling import eventually
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    import pytest

    from tests.integration.shipper.runs import RunDir, Server


def synced(run_dir: RunDir) -> Result:
    """Deliver one folder."""
    (result,) = deliver_all([run_dir.path], environ=run_dir.environment)
    return result


def test_offline_run_is_delivered_without_beats(run_dir: RunDir, broker: str, prefix: str) -> None:
    """An offline run has an exit and a goodbye, and no beats."""
    writer = run_dir.add_writer(logged(500))

    result = synced(run_dir)

    assert (result.state, result.records) == (State.DELIVERED, 500)
    found = delivered(broker, prefix, run_dir.run)
    assert found.rows(writer) == [{"n": number} for number in range(500)]
    assert found.exits()[writer].ending.state is ExitState.FINISHED
    assert [beat.kind for beat in found.heartbeats(Kind.BEAT)] == []


def test_complete_run_is_not_sent_again(run_dir: RunDir, broker: str, prefix: str) -> None:
    """A second sync reports that everything is delivered, and sends nothing."""
    run_dir.add_writer(logged(5))
    synced(run_dir)
    before = len(delivered(broker, prefix, run_dir.run).events)

    result = synced(run_dir)

    assert (result.state, result.state.good) == (State.ALREADY_COMPLETE, True)
    assert len(delivered(broker, prefix, run_dir.run).events) == before


def test_lost_records_are_reported(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged rows are named with their number and reason, and the exit status is not 0, also of a second sync."""
    spool = logged(100)
    spool.records[50] = b"\xa5" * len(spool.records[50])
    run_dir.add_writer(spool)
    for name, value in run_dir.environment.items():
        monkeypatch.setenv(name, value)
    printed = io.StringIO()

    statuses = [sync([run_dir.path], console=Console(file=printed, width=200)) for _ in range(2)]

    assert statuses == [RECORDS_LOST, RECORDS_LOST]
    first, second = (line for line in printed.getvalue().splitlines() if "lost: 1 row" in line)
    assert first.endswith("delivered (100 records); 1 record(s) lost: 1 row (the spool is damaged here)")
    assert second.endswith("already complete; 1 record(s) lost: 1 row (the spool is damaged here)")


def test_running_run_stays_open(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Of a running offline run, all complete rows are delivered, and no exit; a later sync continues."""
    spool = SpoolBuilder()
    spool.append({"n": 0})
    spool.append({"n": 1}, flags=Flag.OPENS)
    writer = run_dir.add_writer(spool, pid=os.getpid())

    first = synced(run_dir)
    found = delivered(broker, prefix, run_dir.run)
    assert (first.state, found.rows(writer), found.exits()) == (State.OPEN, [{"n": 0}], {})
    spool.append({"m": 1}, flags=Flag.CLOSES)
    spool.exit()
    spool.write(run_dir.path / "spool" / writer.hex())
    second = synced(run_dir)

    found = delivered(broker, prefix, run_dir.run)
    assert (second.state, found.rows(writer)) == (State.DELIVERED, [{"n": 0}, {"n": 1, "m": 1}])
    assert list(found.exits()) == [writer]


def test_folder_with_a_running_shipper_is_skipped(run_dir: RunDir) -> None:
    """If a shipper is running, sync reports that and does nothing."""
    run_dir.add_writer(logged(5))
    descriptor = lock(run_dir.path / "shipper.lock")
    assert descriptor is not None

    result = synced(run_dir)
    os.close(descriptor)

    assert result.state is State.BUSY


def test_unreachable_server_is_reported(run_dir: RunDir) -> None:
    """Without a server, sync stops with the reason, and everything stays in the folder."""
    run_dir.add_writer(logged(5))
    environment = {**run_dir.environment, "RUNSTREAM_URL": f"http://{unused_address()}"}

    (result,) = deliver_all([run_dir.path], environ=environment, stalled_s=1.0)

    assert (result.state, "No answer from" in result.problem) == (State.FAILED, True)
    assert len(list((run_dir.path / "spool").rglob("*.seg"))) == 1


def test_an_address_given_now_precedes_that_of_the_folder(run_dir: RunDir, server: Server) -> None:
    """A run that was recorded with a wrong URL is delivered to the one of --url, and sync prints both."""
    run_dir.add_writer(logged(5))
    wrong = recorded_with_wrong_url(run_dir)

    status, output = run_sync(run_dir, "--url", server.url)

    assert (status, f"server {server.url}, from --url; the run was recorded with {wrong}" in output) == (0, True), (
        output
    )


def test_a_stack_that_moved_is_found(
    run_dir: RunDir, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL in the folder no longer answers, and the local stack is the one that answered there before."""
    run_dir.add_writer(logged(5))
    wrong = recorded_with_wrong_url(run_dir)
    environment = {"RUNSTREAM_DATA_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    (tmp_path / "discovery.json").write_text(json.dumps({"url": server.url, "token": "t"}))
    assert run_sync(run_dir, **environment)[0] == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache_connection(ApiServer(wrong), Connection(**server.answer))

    status, output = run_sync(run_dir, **environment)

    assert (status, f"server {server.url}, from the local stack, which was at {wrong}" in output) == (0, True), output


def recorded_with_wrong_url(run_dir: RunDir) -> str:
    """Change the URL in a run folder to one at which nothing answers, and return it."""
    info = json.loads((run_dir.path / "run.json").read_text())
    wrong = f"http://{unused_address()}"
    (run_dir.path / "run.json").write_text(json.dumps(info | {"url": wrong}))
    return wrong


def run_sync(run_dir: RunDir, *options: str, **more: str) -> tuple[int, str]:
    """Run the command in an environment that names no server, and return its exit status and its output."""
    command = [sys.executable, "-m", "runstream.cli.main", "sync", str(run_dir.path), *options]
    environment = {name: value for name, value in run_dir.environment.items() if name != "RUNSTREAM_URL"} | more
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_unusable_folder_is_reported(tmp_path: Path) -> None:
    """A folder with a damaged run.json fails, with the reason."""
    (tmp_path / "run.json").write_text("{")

    (result,) = deliver_all([tmp_path], environ={})

    assert (result.state, "run.json is missing or damaged" in result.problem) == (State.FAILED, True)


def test_run_folders_are_found(server: Server, tmp_path: Path) -> None:
    """Run folders are found by path, in their parent folder, and in a folder ``runstream``."""
    runs = sorted(new_run(tmp_path, server.environment).path for _ in range(2))

    found = [run_folders([path]) for path in (tmp_path, tmp_path / "runstream", runs[0])]

    assert found == [runs, runs, [runs[0]]]


def test_exit_status_reports_failures(run_dir: RunDir, tmp_path: Path) -> None:
    """The exit status is 0 if everything is delivered, and 1 otherwise; a folder without runs is named."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{}")

    assert (sync([tmp_path / "broken"]), sync([tmp_path / "nothing"]), run_dir.path.exists()) == (1, 1, True)
    output = io.StringIO()
    sync([tmp_path / "nothing"], console=Console(file=output, width=1000))
    assert f"No run folder in {tmp_path / 'nothing'}" in output.getvalue()


def test_ctrl_c_stops_sync_cleanly(run_dir: RunDir) -> None:
    """Ctrl-C ends a sync that waits for its server, with exit status 1, and leaves the folder unchanged."""
    run_dir.add_writer(logged(5))
    environment = {**run_dir.environment, "RUNSTREAM_URL": f"http://{unused_address()}"}
    program = f"import sys; from runstream.shipper.sync import sync; sys.exit(sync([{str(run_dir.path)!r}]))"
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE)
    eventually((run_dir.path / "shipper.lock").exists)
    info = json.loads((run_dir.path / "run.json").read_text())
    eventually(lambda: stoppable(process.pid))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)

    assert (process.returncode, errors) == (1, b"")
    assert json.loads((run_dir.path / "run.json").read_text()) == info


def stoppable(pid: int) -> bool:
    """Return whether a process handles SIGTERM, as a sync does once it has started."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    mask = int(caught.split()[1], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)
