"""``run.summary`` in the process is the same as the summary on the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas import values
from tests.e2e.test_one_run import complete
from tests.polling import eventually
from tests.trainers import Server, command, new_id, run_folders, run_to_end

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

#: Enough rows for several segments, so that the first one is deleted while the process is running.
MANY_ROWS = 5000


def apply(stack: Stack, folder: Path, run_id: str, actions: list[list[Any]], **init: Any) -> dict[str, Any]:
    """Run a process that applies actions to a run; return ``run.summary`` at its end."""
    shown = folder / "shown.json"
    status = run_to_end(
        *("change_summary", "--id", run_id, "--shown", shown, "--init", json.dumps(init), json.dumps(actions)),
        environment=stack.environment,
        folder=folder,
    )
    assert status == 0, (folder / "output.txt").read_text()
    found: dict[str, Any] = values.load(shown.read_text())
    return found


def test_the_process_has_the_summary_of_the_server(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Aggregates defined before and after the rows, assigned values, and rows of deleted segments."""
    run_id = new_id()
    actions: list[list[Any]] = [
        ["define", "loss", {"summary": "min,mean"}],
        ["rows", 0, MANY_ROWS],
        ["until deleted"],
        ["look"],
        ["define", "count", {"summary": "max,first"}],
        ["set", {"note": {"by": "hand"}, "nothing": None}],
        ["log", {"deep": {"a": 1}, "none": None}],
        ["log", {"deep": {"b": 2}, "loss": -1.0}, 3],
    ]

    shown = apply(stack, tmp_path, run_id, actions)

    served = values.load(json.dumps(complete(server, run_id)["summary"]))
    assert values.dump(served) == values.dump(shown)
    assert (shown["count"], shown["loss"]["min"]) == ({"first": 0, "max": MANY_ROWS - 1}, -1.0)
    assert (shown["deep"], shown["note"], shown["_step"]) == ({"a": 1, "b": 2}, {"by": "hand"}, MANY_ROWS)


def test_sync_delivers_the_summary_of_an_offline_process(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The server has the same aggregates as the process had."""
    run_id = new_id()
    actions: list[list[Any]] = [["rows", 0, 300], ["define", "*", {"summary": "min,max"}]]

    shown = apply(stack, tmp_path, run_id, actions, mode="offline")
    (folder,) = run_folders(tmp_path)
    command("sync", folder, environment=stack.environment)

    assert complete(server, run_id)["summary"] == shown
    assert shown["count"] == {"min": 0, "max": 299}


@pytest.mark.parametrize(("kind", "shown_in"), [("fork_from", "branch"), ("resume_from", "origin")])
def test_a_fork_and_a_rewind_have_the_summary_of_the_server(
    stack: Stack, server: Server, tmp_path: Path, kind: str, shown_in: str
) -> None:
    """A branch starts with the last values up to its step; later values of the origin are not included."""
    ids = {"origin": new_id(), "branch": new_id()}
    origin, branched = ids["origin"], ids[shown_in]
    before: list[list[Any]] = [
        ["define", "loss", {"summary": "min"}],
        *(["log", {"loss": 9.0 - number, "only": number}] for number in range(6)),
    ]
    apply(stack, tmp_path / "origin", origin, before)
    complete(server, origin)

    after: list[list[Any]] = [["look"], ["log", {"loss": 8.5}], ["log", {"new": 1}]]
    shown = apply(stack, tmp_path / "branch", branched, after, **{kind: f"{origin}?_step=2"})

    eventually(lambda: server.run(branched)["last_step"] == 4)
    served = complete(server, branched)["summary"]
    assert served == shown
    assert (served["only"], served["new"], served["_step"]) == (2, 1, 4)


def test_the_saved_summary_is_deleted_when_a_run_is_complete(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The file is deleted with the segments."""
    run_id = new_id()
    apply(stack, tmp_path, run_id, [["rows", 0, MANY_ROWS], ["until deleted"]])
    complete(server, run_id)

    eventually(lambda: not list(tmp_path.rglob("*.seg")))
    assert not list(tmp_path.rglob("fold.msgpack"))
