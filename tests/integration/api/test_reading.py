"""`runstream.Api` with a real server."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError, UsageError
from runstream.public_api.api import Api
from runstream.public_api.exceptions import NotFoundError
from tests.integration.api.conftest import ROWS, SPIKE, history_row, new_recording
from tests.integration.api.serving import TOKEN

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


@pytest.fixture
def api(served: Served, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an Api that reads the server's URL from the environment."""
    monkeypatch.setenv("RUNSTREAM_URL", served.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    return Api()


def test_a_run_has_the_properties_of_its_document(api: Api, digits: Recording, served: Served) -> None:
    """Names, state, config, summary and other properties are those that the server returns."""
    run = api.run(str(digits.run))
    assert (run.entity, run.project, run.id, run.path) == ("ada", "digits", "digits", ["ada", "digits", "digits"])
    assert (run.name, run.state, run.qualifiers) == ("bright-river-1", "finished", [])
    assert (run.tags, run.notes, run.group, run.job_type) == (["baseline"], "A note.", "g", "train")
    assert run.url == f"{served.url}/ada/digits/runs/digits"
    assert run.config == {"lr": 0.1, "optimizer": {"name": "sgd", "momentum": 0.9}, "limit": math.inf}
    assert run.summary["best"] == 0.97
    assert run.metadata == {"host": "node-7"}
    assert run.lastHistoryStep == ROWS - 1
    assert run.delivery["complete"]
    assert run.transitions[-1]["to"] == "finished"
    assert run.system_metrics == {"system.cpu.percent": 29.0}
    assert [line["text"] for line in run.console(lines=2)] == ["line 48", "line 49"]
    assert repr(run) == "<Run ada/digits/digits (finished)>"


def test_a_run_is_found_by_short_paths_and_urls(api: Api, digits: Recording, served: Served) -> None:
    """The entity may be omitted, and the URL of the run's page is accepted."""
    for path in ("digits/digits", "/ada/digits/digits", f"{served.url}/ada/digits/runs/digits"):
        assert api.run(path).path == [digits.run.entity, digits.run.project, digits.run.run_id]


def test_a_scan_returns_every_row_once(api: Api, digits: Recording) -> None:
    """With any page size, the rows are those that were logged, in order."""
    rows = list(api.run(str(digits.run)).scan_history(page_size=333))
    assert list(range(ROWS)) == [row["_step"] for row in rows]
    plain = [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]
    assert [history_row(step) for step in range(ROWS)] == plain


def test_a_scan_of_keys_returns_rows_that_have_all_of_them(api: Api, digits: Recording) -> None:
    """As in W&B, rows that lack one of the keys are omitted."""
    rows = list(api.run(str(digits.run)).scan_history(keys=["val/accuracy", "train.loss"], min_step=100, max_step=300))
    expected = [
        {"_step": step, "val/accuracy": step / ROWS, "train.loss": math.exp(-step / 500)} for step in (199, 299)
    ]
    assert expected == rows


def test_late_rows_can_be_excluded(api: Api, served: Served) -> None:
    """A scan and a sample include or exclude late rows; any other value is an error."""
    writer = new_recording("reading-late").start({}).rows([{"a": step} for step in range(5)])
    served.store(writer.rows([{"a": -1}], first_step=2))
    run = api.run(str(writer.run))
    assert [row["a"] for row in run.scan_history()] == [0, 1, 2, -1, 3, 4]
    assert [row["a"] for row in run.scan_history(late="exclude")] == [0, 1, 2, 3, 4]
    assert run.history()["_late"].tolist() == [False, False, False, True, False, False]
    assert run.history(late="exclude")["a"].tolist() == [0, 1, 2, 3, 4]
    for read in (run.scan_history, run.history):
        with pytest.raises(UsageError, match="exclude"):
            read(late="drop")  # type: ignore[arg-type]


def test_history_is_a_data_frame_with_the_extremes(api: Api, digits: Recording) -> None:
    """A sample has flat columns and contains every spike."""
    frame = api.run(str(digits.run)).history(samples=100, keys=["train.loss"])
    assert list(frame.columns) == ["_step", "train.loss"]
    assert len(frame) <= 100
    assert frame["train.loss"].max() == 100.0
    assert SPIKE in frame["_step"].tolist()


def test_history_without_pandas_is_a_list(api: Api, digits: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are dicts if pandas is not requested or not installed."""
    run = api.run(str(digits.run))
    rows = run.history(samples=10, keys=["epoch"], pandas=False)
    assert rows[0] == {"_step": 0, "epoch": 0.0}
    monkeypatch.setitem(sys.modules, "pandas", None)  # makes the import system raise ImportError
    assert rows == run.history(samples=10, keys=["epoch"])


def test_a_metric_can_be_the_x_axis(api: Api, digits: Recording) -> None:
    """The x axis is a column before those of the keys."""
    frame = api.run(str(digits.run)).history(samples=5000, keys=["val/accuracy"], x_axis="epoch")
    assert list(frame.columns) == ["epoch", "val/accuracy"]
    assert list(range(20)) == frame["epoch"].tolist()


def test_system_metrics_are_a_separate_stream(api: Api, digits: Recording) -> None:
    """System metrics are read with the same calls."""
    frame = api.run(str(digits.run)).history(stream="system")
    assert [10.0 + step for step in range(20)] == frame["cpu.percent"].tolist()


def test_a_run_is_read_again_on_request(api: Api, served: Served) -> None:
    """Properties do not change until the run is loaded again."""
    writer = new_recording("reloaded").start({}).rows([{"a": 1}])
    served.store(writer)
    run = api.run(str(writer.run))
    assert run.summary["a"] == 1
    served.store(writer.rows([{"a": 2}], first_step=1))
    assert run.summary["a"] == 1
    run.load(force=True)
    assert run.summary["a"] == 2


def test_runs_of_a_project_are_a_lazy_sequence(api: Api, served: Served) -> None:
    """Runs are loaded page by page, oldest first as in W&B, or in another order; their number is counted."""
    for number in range(3):
        served.store(new_recording(f"lazy-{number}", project="lazy", later_s=number).start({}).exit())
    assert [run.id for run in api.runs("ada/lazy")] == ["lazy-0", "lazy-1", "lazy-2"]
    runs = api.runs("ada/lazy", order="-created_at", per_page=2)
    assert runs[0].id == "lazy-2"
    assert [run.id for run in runs] == ["lazy-2", "lazy-1", "lazy-0"]
    assert len(runs) == 3
    assert runs[-1].id == "lazy-0"
    assert [run.id for run in runs[1:]] == ["lazy-1", "lazy-0"]
    assert {"ada"} == {project.entity for project in api.projects()}


def test_an_unknown_run_raises_not_found(api: Api) -> None:
    """The error names the run, and is a LookupError."""
    with pytest.raises(NotFoundError, match="ada/digits/nothing"):
        api.run("digits/nothing")
    assert issubclass(NotFoundError, LookupError)


def test_an_invalid_parameter_is_a_usage_error(api: Api, digits: Recording) -> None:
    """The error names the parameter that the server refused."""
    with pytest.raises(UsageError, match="samples"):
        api.run(str(digits.run)).history(samples=0)


def test_a_stopped_server_is_an_error_with_instructions() -> None:
    """The error has the URL and the command that starts a stack."""
    with pytest.raises(CommError, match=r"No answer from http://127\.0\.0\.1:1 .*runstream up"):
        Api({"base_url": "http://127.0.0.1:1"}).run("a/b/c")


def test_a_missing_url_is_an_error_with_instructions(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without a setting and a discovery file, the error names both."""
    monkeypatch.delenv("RUNSTREAM_URL", raising=False)
    monkeypatch.setenv("RUNSTREAM_DATA_DIR", str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(CommError, match=r"runstream up.*RUNSTREAM_URL"):
        Api()
