"""``run.summary`` in the process, and what the server shows of the run once everything is delivered."""

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

#: Rows enough for several segments, so that the first is deleted while the process lives.
ENOUGH = 5000


def told(stack: Stack, folder: Path, run_id: str, actions: list[list[Any]], **init: Any) -> dict[str, Any]:
    """Run a process that does these things; return the summary that it showed at its end."""
    shown = folder / "shown.json"
    status = run_to_end(
        *("change_summary", "--id", run_id, "--shown", shown, "--init", json.dumps(init), json.dumps(actions)),
        environment=stack.environment,
        folder=folder,
    )
    assert status == 0, (folder / "output.txt").read_text()
    found: dict[str, Any] = values.load(shown.read_text())
    return found


def test_the_process_shows_what_is_served(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Aggregates defined before and after the rows, values by hand, and rows whose segments are deleted already."""
    run_id = new_id()
    actions: list[list[Any]] = [
        ["define", "loss", {"summary": "min,mean"}],
        ["rows", 0, ENOUGH],
        ["until deleted"],
        ["look"],
        ["define", "count", {"summary": "max,first"}],
        ["set", {"note": {"by": "hand"}, "nothing": None}],
        ["log", {"deep": {"a": 1}, "none": None}],
        ["log", {"deep": {"b": 2}, "loss": -1.0}, 3],
    ]

    shown = told(stack, tmp_path, run_id, actions)

    served = values.load(json.dumps(complete(server, run_id)["summary"]))
    assert values.dump(served) == values.dump(shown)
    assert (shown["count"], shown["loss"]["min"]) == ({"first": 0, "max": ENOUGH - 1}, -1.0)
    assert (shown["deep"], shown["note"], shown["_step"]) == ({"a": 1, "b": 2}, {"by": "hand"}, ENOUGH)


def test_an_offline_process_shows_what_is_served_after_sync(stack: Stack, server: Server, tmp_path: Path) -> None:
    """What is delivered later is what the process knew."""
    run_id = new_id()
    actions: list[list[Any]] = [["rows", 0, 300], ["define", "*", {"summary": "min,max"}]]

    shown = told(stack, tmp_path, run_id, actions, mode="offline")
    (folder,) = run_folders(tmp_path)
    command("sync", folder, environment=stack.environment)

    assert complete(server, run_id)["summary"] == shown
    assert shown["count"] == {"min": 0, "max": 299}


@pytest.mark.parametrize(("kind", "shown_in"), [("fork_from", "branch"), ("resume_from", "origin")])
def test_a_run_that_branches_off_shows_what_is_served(
    stack: Stack, server: Server, tmp_path: Path, kind: str, shown_in: str
) -> None:
    """A branch starts with the last values up to its step; later values of the origin are not included."""
    ids = {"origin": new_id(), "branch": new_id()}
    origin, branched = ids["origin"], ids[shown_in]
    before: list[list[Any]] = [
        ["define", "loss", {"summary": "min"}],
        *(["log", {"loss": 9.0 - number, "only": number}] for number in range(6)),
    ]
    told(stack, tmp_path / "origin", origin, before)
    complete(server, origin)

    after: list[list[Any]] = [["look"], ["log", {"loss": 8.5}], ["log", {"new": 1}]]
    shown = told(stack, tmp_path / "branch", branched, after, **{kind: f"{origin}?_step=2"})

    eventually(lambda: server.run(branched)["last_step"] == 4)
    served = complete(server, branched)["summary"]
    assert served == shown
    assert (served["only"], served["new"], served["_step"]) == (2, 1, 4)


def test_nothing_is_left_of_the_fold_once_a_run_is_delivered(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The file beside the spool is for a process that lives."""
    run_id = new_id()
    told(stack, tmp_path, run_id, [["rows", 0, ENOUGH], ["until deleted"]])
    complete(server, run_id)

    eventually(lambda: not list(tmp_path.rglob("*.seg")))
    assert not list(tmp_path.rglob("fold.msgpack"))
