"""Data that other trackers lose according to their open issues, and that Runstream keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.test_one_run import complete
from tests.e2e.test_summary import apply
from tests.polling import eventually
from tests.trainers import Server, new_id, plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack


def test_a_late_worker_does_not_replace_rows_of_the_primary(stack: Stack, server: Server, tmp_path: Path) -> None:
    """After thirty rows of the primary, a worker logs to the same run from step 0; all rows are stored."""
    run_id = new_id()
    thirty = [["log", {"primary": number}] for number in range(30)]
    eleven = [["log", {"worker": number}] for number in range(11)]

    apply(stack, tmp_path / "primary", run_id, thirty, mode="shared", settings={"x_primary": True})
    eventually(lambda: len(server.rows(run_id)) == 30)
    apply(stack, tmp_path / "worker", run_id, eleven, mode="shared", settings={"x_primary": False, "x_label": "late"})

    eventually(lambda: len(server.rows(run_id)) == 41)
    summary = complete(server, run_id)["summary"]
    rows = [plain(row) for row in server.rows(run_id)]
    assert [row["primary"] for row in rows if "primary" in row] == list(range(30))
    assert [row["worker"] for row in rows if "worker" in row] == list(range(11))
    assert (summary["primary"], summary["worker"]) == (29, 10)


def test_rows_at_earlier_steps_are_stored(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A loop that logs evaluations at earlier steps than the training loses no rows."""
    run_id = new_id()
    actions: list[list[Any]] = [
        *(["log", {"train": step}, step] for step in range(0, 50, 10)),
        *(["log", {"eval": step}, step] for step in (5, 20, 35)),
        ["log", {"train": 50}, 50],
    ]

    apply(stack, tmp_path, run_id, actions)

    summary = complete(server, run_id)["summary"]
    rows = server.rows(run_id)
    assert {row["_step"]: row["train"] for row in rows if "train" in row} == {step: step for step in range(0, 60, 10)}
    assert {row["_step"]: row["eval"] for row in rows if "eval" in row} == {5: 5, 20: 20, 35: 35}
    assert all(row["_late"] for row in rows if "eval" in row)
    assert (summary["train"], summary["eval"], summary["_step"]) == (50, 35, 50)


def test_aggregates_cover_the_rows_before_and_after_a_resume(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Minimum, maximum and mean of a resumed run are those of all rows, in the process and on the server."""
    run_id = new_id()
    before = [["log", {"loss": value}] for value in (5.0, 1.0, 3.0)]
    after = [["log", {"loss": value}] for value in (9.0, 2.0)]
    defined: list[Any] = ["define", "loss", {"summary": "min,max,mean,first,last"}]

    apply(stack, tmp_path / "first", run_id, [defined, *before])
    complete(server, run_id)
    shown = apply(stack, tmp_path / "second", run_id, after, resume="must")

    everything = {"first": 5.0, "last": 2.0, "max": 9.0, "mean": 4.0, "min": 1.0}
    eventually(lambda: server.run(run_id)["last_step"] == 4)
    assert complete(server, run_id)["summary"]["loss"] == everything
    assert (shown["loss"], shown["_step"]) == (everything, 4)
    assert server.run(run_id)["summary"] == shown


def test_a_late_metric_definition_applies_to_earlier_rows(stack: Stack, server: Server, tmp_path: Path) -> None:
    """``define_metric`` after the rows, even after a resume, has the same result as before them."""
    run_id = new_id()
    rows = [["log", {"acc": value, "val/acc": value}] for value in (0.25, 0.75, 0.5)]

    first = apply(stack, tmp_path / "first", run_id, [*rows, ["define", "acc", {"summary": "max"}]])
    assert (first["acc"], first["val/acc"]) == ({"max": 0.75}, 0.5)
    complete(server, run_id)
    late: list[Any] = ["define", "val/*", {"summary": "best", "goal": "maximize"}]
    second = apply(stack, tmp_path / "second", run_id, [late], resume="allow")

    assert (second["acc"], second["val/acc"]) == ({"max": 0.75}, {"best": 0.75})
    assert eventually(lambda: server.run(run_id)["summary"].get("val/acc") == {"best": 0.75})
    assert complete(server, run_id)["summary"]["acc"] == {"max": 0.75}
