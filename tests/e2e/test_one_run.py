"""One run, from ``log()`` to the HTTP API: real client, shipper, Kafka, consumers and Postgres."""

from __future__ import annotations

import json
import math
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

import pytest

from runstream.shipper.sync import RECORDS_LOST
from runstream.spool.format import TopicCode
from runstream.spool.reader import read_spool, segment_path
from tests.polling import eventually
from tests.programs.log_rows import values
from tests.trainers import Server, command, new_id, plain, run_folders, run_to_end, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack


def complete(server: Server, run_id: str) -> Any:
    """Wait until a run is complete; return it."""
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    return server.run(run_id)


def ends_of(server: Server, run_id: str) -> list[str]:
    """Return the states of a run since it first ended; only one if that state did not change again."""
    states = [transition["to"] for transition in server.run(run_id, "/state")["transitions"]]
    return list(dropwhile(lambda state: state in {"pending", "running"}, states))


def test_all_rows_are_stored_as_logged(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A finished run has its state, all rows in order, and its summary."""
    run_id = new_id()

    status = run_to_end("log_rows", "--id", run_id, "--rows", 300, environment=stack.environment, folder=tmp_path)

    assert status == 0, (tmp_path / "output.txt").read_text()
    run = complete(server, run_id)
    rows = server.rows(run_id)
    assert run["state"] == "finished"
    assert ends_of(server, run_id) == ["finished"]
    assert [row["_step"] for row in rows] == list(range(300))
    assert [plain(row) for row in rows] == [values("", row, 3) for row in range(300)]
    assert {key: run["summary"][key] for key in values("", 0, 3)} == values("", 299, 3)


@pytest.mark.parametrize(
    ("arguments", "status", "state", "reason"),
    [
        (["--end", "finish"], 0, "finished", None),
        (["--end", "finish", "--code", 3], 0, "failed", "3"),
        (["--end", "exit", "--code", 0], 0, "finished", None),
        (["--end", "exit", "--code", 3], 3, "failed", "3"),
        (["--end", "raise"], 1, "failed", "the loss is not a number"),
        (["--end", "hard-exit", "--code", 0], 0, "finished", None),
        (["--end", "hard-exit", "--code", 7], 7, "failed", "7"),
        (["--end", "kill"], -9, "crashed", "SIGKILL"),
        (["--end", "segfault"], -11, "crashed", "SIGSEGV"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else None,
)
def test_the_state_shows_how_the_process_ended(  # noqa: PLR0917 - fixtures and parameters
    stack: Stack, server: Server, tmp_path: Path, arguments: list[object], status: int, state: str, reason: str | None
) -> None:
    """Each kind of exit has its state and reason, and all rows logged before are stored."""
    run_id = new_id()

    ended = run_to_end("log_rows", "--id", run_id, *arguments, environment=stack.environment, folder=tmp_path)

    assert ended == status, (tmp_path / "output.txt").read_text()
    eventually(lambda: server.run(run_id)["state"] == state, within=120)
    complete(server, run_id)
    assert len(server.rows(run_id)) == 100
    if reason is not None:
        ending = server.run(run_id, "/state")
        assert reason in json.dumps(ending), ending
    assert ends_of(server, run_id) == [state]


def test_two_processes_with_the_same_run_id_keep_all_rows(stack: Stack, server: Server, tmp_path: Path) -> None:
    """They are two writers of one run."""
    run_id = new_id()
    processes = [
        start(
            "log_rows",
            *("--id", run_id, "--label", label, "--mode", "shared"),
            environment=stack.environment,
            folder=tmp_path / label,
        )
        for label in ("0", "1")
    ]

    assert [process.wait(120) for process in processes] == [0, 0]

    run = complete(server, run_id)
    logged = sorted((plain(row) for row in server.rows(run_id)), key=lambda row: row["metric_0"])
    assert logged == [values(label, row, 3) for label in ("0", "1") for row in range(100)]
    assert run["state"] == "finished"


def test_an_offline_run_is_pending_until_its_exit_arrives(stack: Stack, server: Server, tmp_path: Path) -> None:
    """It is never running or crashed: sync changes the state from pending to the final one."""
    run_id = new_id()
    arguments = ("--id", run_id, "--mode", "offline", "--end", "exit", "--code", 2)
    run_to_end("log_rows", *arguments, environment=stack.environment, folder=tmp_path)
    (folder,) = run_folders(tmp_path)

    output = command("sync", folder, environment=stack.environment)

    assert run_id in output
    complete(server, run_id)
    eventually(lambda: server.run(run_id)["state"] == "failed")
    assert len(server.rows(run_id)) == 100
    states = {transition["to"] for transition in server.run(run_id, "/state")["transitions"]}
    assert states <= {"pending", "failed"}


def test_a_damaged_row_is_lost_and_seen(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Of a spool with a damaged byte, sync, the API and ``show`` name the lost row, its number and the reason."""
    run_id = new_id()
    run_to_end("log_rows", "--id", run_id, "--mode", "offline", environment=stack.environment, folder=tmp_path)
    (folder,) = run_folders(tmp_path)
    (writer,) = (folder / "spool").iterdir()
    (record,) = (one for one in read_spool(writer) if (one.topic, one.seq) == (TopicCode.LOG, 50))
    with segment_path(writer, record.position.segment).open("r+b") as segment:
        segment.seek(record.position.offset + 40)
        segment.write(b"\xa5")

    output = command("sync", folder, environment=stack.environment, status=RECORDS_LOST)

    assert "1 record(s) lost: 1 row (the spool is damaged here)" in output
    eventually(lambda: server.run(run_id, "/delivery")["arrived"], within=120)
    delivery = server.run(run_id, "/delivery")
    topic = next(one["topics"]["log"] for one in delivery["writers"] if one["role"] == "primary")
    assert not delivery["complete"]
    assert (topic["stored"], topic["lost"], topic["counted"], topic["missing"]) == (99, 1, 100, [])
    assert topic["losses"] == [{"reason": "the spool is damaged here", "count": 1, "ranges": [[50, 51]]}]
    assert len(server.rows(run_id)) == 99
    assert "rows (the spool is damaged here)" in command("show", run_id, environment=stack.environment)


def test_unusual_values_are_stored(stack: Stack, server: Server, tmp_path: Path) -> None:
    """NUL characters, non-finite floats, nested dicts and large integers can be read from the API."""
    run_id = new_id()

    status = run_to_end("log_unusual", run_id, environment=stack.environment, folder=tmp_path)

    assert status == 0, (tmp_path / "output.txt").read_text()
    run = complete(server, run_id)
    rows = [plain(row) for row in server.rows(run_id)]
    assert rows[0]["text"] == "nul \0 and \N{SNOWMAN}"
    assert rows[0]["nested"] == {"a": {"b.c": 1}}
    assert rows[0]["nan"] == {"_type": "float", "value": "NaN"}
    assert rows[0]["inf"] == {"_type": "float", "value": "-Infinity"}
    assert math.isclose(rows[0]["big"], 2.0**70)
    assert (rows[1]["long"]["_type"], rows[1]["long"]["size"]) == ("value-file", 10_000_000)
    assert rows[2]["after"] == 1
    assert run["config"] == {"note": "nul \0", "deep": {"er": [1, 2]}}


def test_console_lines_and_system_metrics_are_stored(stack: Stack, server: Server, tmp_path: Path) -> None:
    """They can be read in addition to the history, also while the run is active."""
    run_id = new_id()
    process = start("log_rows", "--id", run_id, "--end", "wait", environment=stack.environment, folder=tmp_path)

    eventually(lambda: server.rows(run_id, stream="system"), within=120)
    eventually(lambda: "logged 100" in json.dumps(server.run(run_id, "/console")), within=120)

    process.terminate()
    process.wait(120)
    complete(server, run_id)
