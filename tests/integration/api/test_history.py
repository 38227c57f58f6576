"""Rows read over HTTP: exact, sampled, console lines and system metrics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas import values
from runstream_schemas.events import Role
from tests.integration.api.conftest import ROWS, SPIKE, history_row, new_recording
from tests.integration.api.recording import STARTED
from tests.integration.api.serving import path

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


def _scan(served: Served, recording: Recording, **parameters: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = served.run(recording, "/scan", **parameters, **({"cursor": cursor} if cursor else {}))
        assert len(page["rows"]) <= parameters.get("page_size", 1000)
        rows += page["rows"]
        cursor = page["next"]
        if cursor is None:
            return rows


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith("_")}


@pytest.mark.parametrize("page_size", [7, 1000, 10_000])
def test_scan_returns_every_row_once(served: Served, digits: Recording, page_size: int) -> None:
    """With any page size, the rows are those that were logged, in order."""
    rows = _scan(served, digits, page_size=page_size) if page_size > 7 else _scan(
        served, digits, page_size=page_size, min_step=0, max_step=100
    )  # fmt: skip
    assert list(range(len(rows))) == [row["_step"] for row in rows]
    assert len(rows) == (100 if page_size == 7 else ROWS)
    assert [history_row(step) for step in range(len(rows))] == [_plain(row) for row in rows]


def test_row_has_step_time_and_writer(served: Served, digits: Recording) -> None:
    """A row has its step, time, run time, writer and lateness besides its values."""
    row = served.run(digits, "/scan", min_step=5, max_step=6)["rows"][0]
    expected = {
        "_step": 5,
        "_timestamp": STARTED / 1e6 + 5,
        "_runtime": 5.0,
        "_writer": digits.id.hex(),
        "_late": False,
    }
    assert expected == {key: row[key] for key in expected}


def test_scan_of_keys_returns_rows_that_have_them(served: Served, digits: Recording) -> None:
    """A key that is logged once per epoch yields one row per epoch, without other keys."""
    rows = _scan(served, digits, keys=["val/accuracy"])
    assert [{"val/accuracy": step / ROWS} for step in range(99, ROWS, 100)] == [_plain(row) for row in rows]


def test_few_rows_are_not_sampled(served: Served, ranks: tuple[Recording, Recording]) -> None:
    """If there are no more rows than requested, all rows are returned, including texts."""
    answer = served.run(ranks[0], "/history", samples=20)
    assert not answer["sampled"]
    assert len(answer["rows"]) == 20
    assert {"text"} == {row["only"] for row in answer["rows"]}


def test_sample_keeps_the_extremes(served: Served, digits: Recording) -> None:
    """A sample contains a single spike among thousands of rows, and both ends."""
    answer = served.run(digits, "/history", samples=50, keys=["train.loss"])
    assert answer["sampled"]
    steps = [row["_step"] for row in answer["rows"]]
    assert len(steps) <= 50
    assert {0, SPIKE, ROWS - 1} <= set(steps)
    assert sorted(steps) == steps


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 50, 500, 1999])
def test_sample_has_as_many_rows_as_requested(served: Served, digits: Recording, samples: int) -> None:
    """A sample of a longer run has exactly so many rows, whole as they were logged, with the ends and the extremes."""
    rows = served.run(digits, "/history", samples=samples)["rows"]
    steps = [row["_step"] for row in rows]
    assert len(set(steps)) == samples
    assert sorted(steps) == steps
    assert [history_row(step) for step in steps] == [_plain(row) for row in rows]
    assert {0, ROWS - 1, SPIKE} <= set(steps) or samples < 8
    assert not any(row["_late"] for row in rows)


def test_sample_of_keys_has_rows_with_any_of_them(served: Served, digits: Recording) -> None:
    """The rows of a key that few rows have are all returned, if they are no more than requested."""
    rows = served.run(digits, "/history", samples=10, keys=["val/accuracy"])["rows"]
    assert [row["_step"] % 100 for row in rows] == [99] * 10
    answer = served.run(digits, "/history", samples=20, keys=["val/accuracy"])
    assert (answer["sampled"], len(answer["rows"])) == (False, 20)


def test_sample_of_texts_has_as_many_rows_as_requested(served: Served) -> None:
    """Rows without a number are sampled too, also if they were all logged at one time."""
    writer = new_recording("texts").start({}).rows([{"text": f"line {step}", "n": None} for step in range(100)])
    for _ in range(10):
        writer.rows([{"same": "text"}], first_step=100)
    served.store(writer.exit())
    for parameters, last in ({}, 100), ({"keys": ["text"]}, 99), ({"keys": ["same"]}, 100):
        rows = served.run(writer, "/history", samples=8, **parameters)["rows"]
        assert len(rows) == 8
        assert rows[-1]["_step"] == last


def test_series_have_points_for_a_chart(served: Served, digits: Recording) -> None:
    """Each numeric key has its steps, times and values, at most as many as requested."""
    series = {one["key"]: one for one in served.run(digits, "/series", samples=40)["series"]}
    assert {"train.loss", "epoch", "val/accuracy"} == series.keys()
    loss = series["train.loss"]
    assert len(loss["steps"]) == len(loss["times"]) == len(loss["values"]) <= 40
    assert max(loss["values"]) == 100.0
    assert loss["times"][0] == STARTED / 1e6
    assert len(series["val/accuracy"]["steps"]) == 20


def test_each_writer_has_a_separate_series(served: Served, ranks: tuple[Recording, Recording]) -> None:
    """Two ranks that log the same key at the same steps yield two series with their labels."""
    series = served.run(ranks[0], "/series", keys=["loss"])["series"]
    assert [(one["label"], one["values"]) for one in series] == [("rank 0", [0.0] * 10), ("rank 1", [1.0] * 10)]


def test_two_writers_at_one_step_are_two_rows(served: Served, ranks: tuple[Recording, Recording]) -> None:
    """Rows of several writers are not merged."""
    rows = _scan(served, ranks[0], max_step=1)
    assert {writer.id.hex() for writer in ranks} == {row["_writer"] for row in rows}


def test_late_rows_can_be_excluded(served: Served) -> None:
    """Late rows are included by default and can be excluded, in scans and in samples."""
    first, second = new_recording("late", label="0"), new_recording("late", label="1")
    first.start({}).rows([{"a": step} for step in range(30)])
    first.rows([{"a": -1}], first_step=5).rows([{"a": 30}], first_step=30)
    second.start({}).rows([{"a": 100 + step} for step in range(10)], first_step=25)
    served.store(first)
    served.store(second)

    every = _scan(served, first)
    assert [row["a"] for row in every if row["_writer"] == first.id.hex()] == [*range(6), -1, *range(6, 31)]
    assert [row["_step"] for row in every if row["_late"]] == [5, *range(25, 31)]
    kept = [row for row in every if not row["_late"]]
    for page_size in (3, 1000):
        assert _scan(served, first, late="exclude", page_size=page_size) == kept
    assert served.run(first, "/history", late="exclude")["rows"] == kept
    series = served.run(first, "/series", late="exclude")["series"]
    assert [one["steps"] for one in series] == [list(range(31)), list(range(31, 35))]
    sampled = served.run(first, "/history", late="exclude", samples=8)
    assert sampled["sampled"]
    assert {row["_step"] for row in sampled["rows"]} <= {row["_step"] for row in kept}


def test_attached_worker_does_not_change_rows_of_the_primary(served: Served) -> None:
    """Rows of a primary are unchanged by a second writer that starts at step 0."""
    primary, worker = new_recording("attach"), new_recording("attach", role=Role.WORKER, label="rank 1")
    served.store(primary.start({}).rows([{"a": step} for step in range(30)]))
    before = _scan(served, primary)
    served.store(worker.start({}).rows([{"b": step} for step in range(30)]))

    after = _scan(served, primary)
    assert [row for row in after if row["_writer"] == primary.id.hex()] == before
    assert len(after) == 60


def test_resumed_run_is_one_series_without_replaced_rows(served: Served) -> None:
    """A writer that continues another one replaces its rows from its own first step on."""
    first, second = new_recording("taken"), new_recording("taken")
    second.continues = (first.id,)
    served.store(first.start({}).rows([{"a": step} for step in range(6)]))
    served.store(second.start({}).rows([{"a": 10 * step} for step in range(4, 7)], first_step=4))

    assert [row["a"] for row in _scan(served, first)] == [0, 1, 2, 3, 40, 50, 60]
    hidden = [row for row in _scan(served, first, hidden=True) if row.get("_hidden")]
    assert [(row["a"], row["_late"]) for row in hidden] == [(4, False), (5, False)]
    (series,) = served.run(first, "/series")["series"]
    assert (series["writer"], series["values"]) == (second.id.hex(), [0, 1, 2, 3, 40, 50, 60])
    state = served.run(first, "/resume-state", step=4)
    assert (state["last_step"], state["values"]) == (6, [[["a"], 40]])


def test_fork_inherits_the_rows_of_its_parent(served: Served) -> None:
    """A fork has its parent's rows up to the step; later changes of the parent do not affect it."""
    parent, fork, later = new_recording("parent"), new_recording("fork"), new_recording("parent")
    served.store(parent.start({}).rows([{"a": step, "n": {"b": step}} for step in range(10)]))
    served.store(fork.start({}).branch(parent.run, 5).rows([{"a": 60}, {"a": 70}], first_step=6))
    later.continues = (parent.id,)
    served.store(later.start({}).branch(parent.run, 2).rows([{"a": 33}], first_step=3))

    values = [0, 1, 2, 3, 4, 5, 60, 70]
    for page_size in (1, 3, 1000):
        assert [row["a"] for row in _scan(served, fork, page_size=page_size)] == values
    assert [row["a"] for row in _scan(served, parent)] == [0, 1, 2, 33]
    series = {one["key"]: one for one in served.run(fork, "/series")["series"]}
    assert series["a"]["values"] == values
    assert series["n.b"]["steps"] == list(range(6))
    state = served.run(fork, "/resume-state", step=5)
    assert (state["last_step"], state["values"]) == (7, [[["a"], 5], [["n", "b"], 5]])
    assert served.run(fork)["last_step"] == 7


def test_resume_state_includes_everything_that_had_arrived(served: Served) -> None:
    """As soon as the brokers have a run's end, the resume state contains its last step and state."""
    for number in range(5):
        writer = new_recording(f"resume-{number}").start({"lr": number})
        for start in range(0, 2000, 200):
            writer.rows([{"a": step} for step in range(start, start + 200)], first_step=start)
        served.publish(writer.exit())

        state = served.run(writer, "/resume-state")

        assert (state["exists"], state["last_step"], state["state"]) == (True, 1999, "finished")
        assert (state["config"], state["on_their_way"]) == ({"lr": number}, 0)
        assert state["folds"]["last_step"] == 1999
        assert [one["writer"] for one in state["writers"]] == [writer.id.hex()]
    assert served.run(new_recording("resume-nowhere"), "/resume-state")["exists"] is False


def test_console_lines_are_oldest_first(served: Served, digits: Recording) -> None:
    """The last lines are returned in the order they were printed."""
    lines = served.run(digits, "/console", lines=3)["lines"]
    assert [line["text"] for line in lines] == ["line 47", "line 48", "line 49"]
    assert {"stdout"} == {line["stream"] for line in lines}


def test_system_metrics_are_series(served: Served, digits: Recording) -> None:
    """System metrics are a stream separate from the history."""
    series = served.run(digits, "/system")["series"]
    assert [(one["key"], len(one["values"])) for one in series] == [("cpu.percent", 20)]


def test_non_finite_values_are_preserved(served: Served) -> None:
    """NaN and infinities are returned as logged, by scan and by series."""
    writer = new_recording("non-finite").start({}).rows([{"a": math.nan}, {"a": math.inf}, {"a": -math.inf}]).exit()
    served.store(writer)
    rows = values.load(served.ask(f"/api/v1/runs/{writer.run}/scan").text)["rows"]
    assert str([row["a"] for row in rows]) == "[nan, inf, -inf]"
    assert served.run(writer, "/series")["series"][0]["values"][1] == {"_type": "float", "value": "Infinity"}


def test_nul_characters_and_lone_surrogates_are_preserved(served: Served) -> None:
    """Text with NUL characters and lone surrogates is preserved."""
    text = "a\x00b\ud800"
    writer = new_recording("odd-text").start({"text": text}).rows([{"text": text}]).exit()
    served.store(writer)
    assert values.load(served.ask(f"/api/v1/runs/{writer.run}/scan").text)["rows"][0]["text"] == text
    assert values.load(served.ask(f"/api/v1/runs/{writer.run}/config").text)["text"] == text


@pytest.mark.parametrize(
    ("part", "parameters"),
    [
        ("/scan", {"cursor": "x"}),
        ("/scan", {"cursor": "1.2"}),
        ("/scan", {"cursor": "1.2.99999999999999999999"}),
        ("/scan", {"page_size": 0}),
        ("/scan", {"page_size": 10_001}),
        ("/scan", {"min_step": "a"}),
        ("/scan", {"min_step": 2**63}),
        ("/scan", {"stream": "nothing"}),
        ("/scan", {"late": "drop"}),
        ("/history", {"late": ""}),
        ("/series", {"late": "no"}),
        ("/resume-state", {"step": "x"}),
        ("/history", {"samples": 0}),
        ("/series", {"samples": 20_001}),
        ("/console", {"lines": 0}),
    ],
)
def test_invalid_parameters_are_refused(
    served: Served, digits: Recording, part: str, parameters: dict[str, Any]
) -> None:
    """An invalid parameter is refused with its name."""
    answer = served.ask(f"/api/v1/runs/{digits.run}{part}", **parameters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")
    assert next(iter(parameters)) in answer.json()["error"]["message"]


def test_a_cursor_of_another_query_is_refused(served: Served, digits: Recording, ranks: tuple[Recording, ...]) -> None:
    """With the reason; the size of pages may change."""
    cursor = served.run(digits, "/scan", page_size=5, keys="train.loss")["next"]
    assert len(served.run(digits, "/scan", page_size=7, keys="train.loss", cursor=cursor)["rows"]) == 7
    cases: list[tuple[Recording, dict[str, Any]]] = [
        (digits, {}),
        (digits, {"keys": "epoch"}),
        (digits, {"keys": "train.loss", "hidden": True}),
        (digits, {"keys": "train.loss", "min_step": 1}),
        (ranks[0], {"keys": "train.loss"}),
    ]
    for recording, parameters in cases:
        answer = served.ask(f"/api/v1/runs{path(recording.run)}/scan", cursor=cursor, **parameters)
        assert answer.status_code == 422
        assert "of another query" in answer.json()["error"]["message"]
