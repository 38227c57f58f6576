"""``runstream sync``: runs that were recorded offline, or left behind, are delivered later as what they were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.run_folder.folder import lock
from runstream.shipper.sync import Result, State, deliver_all, run_folders, sync
from runstream.spool.format import Flag
from runstream_schemas.events import ExitState, Kind
from tests.integration.shipper.runs import delivered, new_run
from tests.integration.shipper.test_outages import dead_address, logged
from tests.polling import eventually
from tests.unit.shipper.spools import SpoolBuilder

if TYPE_CHECKING:
    from tests.integration.shipper.runs import RunDir, Server


def synced(run_dir: RunDir) -> Result:
    """Deliver one folder."""
    (result,) = deliver_all([run_dir.path], environ=run_dir.environment)
    return result


def test_an_offline_run_is_delivered_without_a_beat(run_dir: RunDir, broker: str, prefix: str) -> None:
    """An offline run synced later is finished at once: it has an exit and a goodbye, and was never alive."""
    writer = run_dir.add_writer(logged(500))

    result = synced(run_dir)

    assert (result.state, result.records) == (State.DELIVERED, 500)
    found = delivered(broker, prefix, run_dir.run)
    assert found.rows(writer) == [{"n": number} for number in range(500)]
    assert found.exits()[writer].ending.state is ExitState.FINISHED
    assert [beat.kind for beat in found.heartbeats(Kind.BEAT)] == []


def test_what_is_complete_is_left_alone(run_dir: RunDir, broker: str, prefix: str) -> None:
    """A second sync says that there is nothing to do, and sends nothing."""
    run_dir.add_writer(logged(5))
    synced(run_dir)
    before = len(delivered(broker, prefix, run_dir.run).events)

    result = synced(run_dir)

    assert (result.state, result.state.good) == (State.ALREADY_COMPLETE, True)
    assert len(delivered(broker, prefix, run_dir.run).events) == before


def test_a_run_that_still_trains_stays_open(run_dir: RunDir, broker: str, prefix: str) -> None:
    """Of a living offline run everything so far is delivered, the open row not, and no exit; a later sync goes on."""
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


def test_a_folder_with_a_shipper_is_left_to_it(run_dir: RunDir) -> None:
    """Where a shipper is at work, sync says so and does nothing."""
    run_dir.add_writer(logged(5))
    descriptor = lock(run_dir.path / "shipper.lock")
    assert descriptor is not None

    result = synced(run_dir)
    os.close(descriptor)

    assert result.state is State.BUSY


def test_a_server_that_does_not_answer_is_told(run_dir: RunDir) -> None:
    """Without a server sync ends by itself, with the reason, and everything stays in the folder."""
    run_dir.add_writer(logged(5))
    environment = {**run_dir.environment, "RUNSTREAM_URL": f"http://{dead_address()}"}

    (result,) = deliver_all([run_dir.path], environ=environment, stalled_s=1.0)

    assert (result.state, "No answer from" in result.problem) == (State.FAILED, True)
    assert len(list((run_dir.path / "spool").rglob("*.seg"))) == 1


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """A folder with a damaged run.json is a failure of its own; others are delivered."""
    (tmp_path / "run.json").write_text("{")

    (result,) = deliver_all([tmp_path], environ={})

    assert (result.state, "run.json is missing or damaged" in result.problem) == (State.FAILED, True)


def test_folders_are_found(server: Server, tmp_path: Path) -> None:
    """Run folders are found by their path, in the folder that holds them, and in the folder ``runstream`` below one."""
    runs = sorted(new_run(tmp_path, server.environment).path for _ in range(2))

    found = [run_folders([path]) for path in (tmp_path, tmp_path / "runstream", runs[0])]

    assert found == [runs, runs, [runs[0]]]


def test_the_exit_status_tells(run_dir: RunDir, tmp_path: Path) -> None:
    """The command's status is 0 where nothing is left to do, and 1 where something could not be delivered."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{}")

    assert (sync([tmp_path / "broken"]), sync([tmp_path / "nothing"]), run_dir.path.exists()) == (1, 1, True)


def test_ctrl_c_stops_a_sync_cleanly(run_dir: RunDir) -> None:
    """Ctrl-C ends a sync that waits for its server, with exit status 1, and leaves the folder as it was."""
    run_dir.add_writer(logged(5))
    environment = {**run_dir.environment, "RUNSTREAM_URL": f"http://{dead_address()}"}
    program = f"import sys; from runstream.shipper.sync import sync; sys.exit(sync([{str(run_dir.path)!r}]))"
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE)
    eventually((run_dir.path / "shipper.lock").exists)
    info = json.loads((run_dir.path / "run.json").read_text())

    def interrupted() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    eventually(lambda: stoppable(process.pid))
    eventually(interrupted, every=0.5)
    _, errors = process.communicate()

    assert (process.returncode, errors) == (1, b"")
    assert json.loads((run_dir.path / "run.json").read_text()) == info


def stoppable(pid: int) -> bool:
    """Tell whether a process handles SIGTERM, as a sync does once it is at work, beside SIGINT."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    mask = int(caught.split()[1], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)
