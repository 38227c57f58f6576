"""What users of other trackers lose, by reports that are open there: here it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.test_one_run import complete
from tests.e2e.test_summary import told
from tests.polling import eventually
from tests.trainers import Server, new_id, plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack


def test_a_worker_that_attaches_late_takes_no_row_of_the_primary(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Thirty rows of a primary, then a worker logs to the same run from step 0: all rows of both stay."""
    run_id = new_id()
    thirty = [["log", {"primary": number}] for number in range(30)]
    eleven = [["log", {"worker": number}] for number in range(11)]

    told(stack, tmp_path / "primary", run_id, thirty, mode="shared", settings={"x_primary": True})
    eventually(lambda: len(server.rows(run_id)) == 30)
    told(stack, tmp_path / "worker", run_id, eleven, mode="shared", settings={"x_primary": False, "x_label": "late"})

    eventually(lambda: len(server.rows(run_id)) == 41)
    summary = complete(server, run_id)["summary"]
    rows = [plain(row) for row in server.rows(run_id)]
    assert [row["primary"] for row in rows if "primary" in row] == list(range(30))
    assert [row["worker"] for row in rows if "worker" in row] == list(range(11))
    assert (summary["primary"], summary["worker"]) == (29, 10)


def test_a_row_at_an_earlier_step_is_kept(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Steps that go back, as of a loop that trains and evaluates on different ones, lose nothing."""
    run_id = new_id()
    actions: list[list[Any]] = [
        *(["log", {"train": step}, step] for step in range(0, 50, 10)),
        *(["log", {"eval": step}, step] for step in (5, 20, 35)),
        ["log", {"train": 50}, 50],
    ]

    told(stack, tmp_path, run_id, actions)

    summary = complete(server, run_id)["summary"]
    rows = server.rows(run_id)
    assert {row["_step"]: row["train"] for row in rows if "train" in row} == {step: step for step in range(0, 60, 10)}
    assert {row["_step"]: row["eval"] for row in rows if "eval" in row} == {5: 5, 20: 20, 35: 35}
    assert all(row["_late"] for row in rows if "eval" in row)
    assert (summary["train"], summary["eval"], summary["_step"]) == (50, 35, 50)


def test_aggregates_cover_the_rows_before_and_after_a_resume(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A resumed run goes on folding: minimum, maximum and mean are those of all rows, in the process as served."""
    run_id = new_id()
    before = [["log", {"loss": value}] for value in (5.0, 1.0, 3.0)]
    after = [["log", {"loss": value}] for value in (9.0, 2.0)]
    defined: list[Any] = ["define", "loss", {"summary": "min,max,mean,first,last"}]

    told(stack, tmp_path / "first", run_id, [defined, *before])
    complete(server, run_id)
    shown = told(stack, tmp_path / "second", run_id, after, resume="must")

    everything = {"first": 5.0, "last": 2.0, "max": 9.0, "mean": 4.0, "min": 1.0}
    eventually(lambda: server.run(run_id)["last_step"] == 4)
    assert complete(server, run_id)["summary"]["loss"] == everything
    assert (shown["loss"], shown["_step"]) == (everything, 4)
    assert server.run(run_id)["summary"] == shown


def test_a_metric_that_is_defined_late_covers_the_rows_before(stack: Stack, server: Server, tmp_path: Path) -> None:
    """``define_metric`` after the rows, after a resume even, shows what it would have shown from the start."""
    run_id = new_id()
    rows = [["log", {"acc": value, "val/acc": value}] for value in (0.25, 0.75, 0.5)]

    first = told(stack, tmp_path / "first", run_id, [*rows, ["define", "acc", {"summary": "max"}]])
    assert (first["acc"], first["val/acc"]) == ({"max": 0.75}, 0.5)
    complete(server, run_id)
    late: list[Any] = ["define", "val/*", {"summary": "best", "goal": "maximize"}]
    second = told(stack, tmp_path / "second", run_id, [late], resume="allow")

    assert (second["acc"], second["val/acc"]) == ({"max": 0.75}, {"best": 0.75})
    assert eventually(lambda: server.run(run_id)["summary"].get("val/acc") == {"best": 0.75})
    assert complete(server, run_id)["summary"]["acc"] == {"max": 0.75}
