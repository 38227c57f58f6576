"""Rows as Arrow IPC streams, from the server and through the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pytest

from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from tests.integration.api.conftest import ROWS, new_recording
from tests.integration.api.serving import TOKEN, path

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
def api(served: Served) -> Api:
    """Return an Api of the server."""
    return Api({"base_url": served.url}, api_key=TOKEN)


def _ask(served: Served, recording: Recording, part: str, **asked: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": f"text/plain, {ARROW};q=0.9"}
    url = f"{served.url}/api/v1/runs{path(recording.run)}{part}"
    return httpx.get(url, params=asked, headers=headers, timeout=60)


def test_a_scan_is_an_arrow_stream_if_it_is_asked_for(served: Served, digits: Recording) -> None:
    """Pyarrow reads it; nested keys are columns, the cursor is metadata, and a page may have more rows than as JSON."""
    answer = _ask(served, digits, "/scan", page_size=20_000)
    assert answer.headers["content-type"] == ARROW
    assert "accept" in answer.headers["vary"].lower()
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column_names[:5] == ["_step", "_timestamp", "_runtime", "_writer", "_late"]
    assert set(table.column_names[5:]) == {"train.loss", "epoch", "val/accuracy"}
    assert table.schema.metadata == {b"next": b"null"}
    assert table["_step"].to_pylist() == list(range(ROWS))
    assert table["val/accuracy"].null_count == ROWS - 20
    page = pa.ipc.open_stream(_ask(served, digits, "/scan", page_size=5).content).read_all()
    rest = _ask(served, digits, "/scan", page_size=5, cursor=page.schema.metadata[b"next"].decode().strip('"'))
    assert pa.ipc.open_stream(rest.content).read_all()["_step"].to_pylist() == [5, 6, 7, 8, 9]
    assert served.ask(f"/api/v1/runs{path(digits.run)}/scan", page_size=20_000).status_code == 422


def test_fields_of_every_row_can_be_left_out(served: Served, digits: Recording) -> None:
    """``fields`` selects them, in JSON and in Arrow."""
    asked = {"fields": ["_step", "_late"], "keys": "epoch", "page_size": 2}
    assert served.run(digits, "/scan", **asked)["rows"] == [
        {"epoch": 0, "_step": step, "_late": False} for step in range(2)
    ]
    table = pa.ipc.open_stream(_ask(served, digits, "/scan", **asked).content).read_all()
    assert table.column_names == ["_step", "_late", "epoch"]
    assert served.ask(f"/api/v1/runs{path(digits.run)}/scan", fields="_order").status_code == 422


def test_an_arrow_sample_has_the_rows_of_the_json_sample(served: Served, digits: Recording) -> None:
    """The same rows are chosen for both."""
    table = pa.ipc.open_stream(_ask(served, digits, "/history", samples=50).content).read_all()
    found = served.run(digits, "/history", samples=50)
    assert table.schema.metadata == {b"sampled": b"true"}
    assert table["_step"].to_pylist() == [row["_step"] for row in found["rows"]]


def test_all_rows_are_read_as_one_table(api: Api, digits: Recording) -> None:
    """Pages of any size become one table with the rows of a scan."""
    run = api.run(str(digits.run))
    expected = list(run.scan_history(page_size=300))
    for into in ("arrow", "pandas", "polars"):
        table = run.read_history(format=into, page_size=150)
        assert [int(step) for step in table["_step"].to_numpy()] == [row["_step"] for row in expected]
        losses = [float(loss) for loss in table["train.loss"].to_numpy()]
        assert losses == [row["train"]["loss"] for row in expected]
    table = run.read_history(keys=["val/accuracy"], min_step=100, max_step=300, format="arrow", page_size=150)
    assert table.to_pydict() == {"_step": [199, 299], "val/accuracy": [199 / ROWS, 299 / ROWS]}


def test_hidden_rows_are_a_column_of_a_table(api: Api, served: Served) -> None:
    """Rows that a resume replaced are included on request, and marked."""
    first = new_recording("bulk-hidden").start({}).rows([{"a": step} for step in range(4)]).exit()
    second = new_recording("bulk-hidden")
    second.continues = (first.id,)
    second.start({}).rows([{"a": 20}], first_step=2)
    served.store(first, second)
    run = api.run(str(first.run))
    assert run.read_history(format="arrow")["a"].to_pylist() == [0, 1, 20]
    table = run.read_history(format="arrow", hidden=True)
    assert table["_hidden"].to_pylist() == [False, False, True, False, True]
    assert [row.get("_hidden", False) for row in run.scan_history(hidden=True)] == table["_hidden"].to_pylist()


def test_curves_of_several_runs_are_read_with_one_request(api: Api, served: Served) -> None:
    """Each run has the series that it has alone; an unknown one has none; forks have inherited rows."""
    parent = (
        new_recording("curves-a", project="curves").start({}).rows([{"loss": 1.0 / (step + 1)} for step in range(9)])
    )
    other = new_recording("curves-b", project="curves").start({}).rows([{"loss": 2.0, "lr": 0.1}])
    served.store(parent, other)
    found = served.get(
        "/api/v1/projects/ada/curves/series", run=["curves-b", "curves-a", "none"], keys=["loss"], samples=5
    )["runs"]
    assert [one["id"] for one in found] == ["curves-b", "curves-a", "none"]
    for one, recording in zip(found, (other, parent), strict=False):
        assert one["series"] == served.run(recording, "/series", keys="loss", samples=5)["series"]
    assert found[2]["series"] == []
    by_path = api.runs("ada/curves").series(["lr"])
    assert {path: [one["values"] for one in series] for path, series in by_path.items()} == {
        "ada/curves/curves-a": [],
        "ada/curves/curves-b": [[0.1]],
    }
    right: dict[str, Any] = {"run": ["curves-a"], "keys": ["loss"]}
    for name, bad in (("run", []), ("run", ["x"] * 201), ("samples", 3000)):
        asked = right | {name: bad}
        assert served.ask("/api/v1/projects/ada/curves/series", **asked).status_code == 422


def test_keys_are_found_by_a_regular_expression(api: Api, served: Served) -> None:
    """Numeric keys of all rows, and of the rows that a fork inherits, by name and page by page."""
    row = {f"layer_{number}": {"mean": 1.0, "text": "x"} for number in range(30)} | {"loss": 1, "a\0b": 2.0}
    recording = new_recording("many-keys").start({}).rows([row])
    served.store(recording)
    run = api.run(str(recording.run))
    assert list(run.find_keys("^layer_1.*mean$")) == sorted(["layer_1.mean", *(f"layer_1{n}.mean" for n in range(10))])
    assert list(run.find_keys("LOSS|^none$")) == []
    assert list(run.find_keys("(?i)LOSS")) == ["loss"]
    assert list(run.find_keys("^[^x]*[0-9][^x]*9.mean$")) == ["layer_19.mean", "layer_29.mean"]
    assert len(list(run.find_keys())) == 32
    page = served.run(recording, "/keys", limit=2)
    assert page == {"keys": ["a\0b", "layer_0.mean"], "next": "layer_0.mean"}
    assert served.run(recording, "/keys", limit=1, after=page["next"])["keys"] == ["layer_1.mean"]
    for wrong in ("(", ")(", r"(a)\1"):
        with pytest.raises(UsageError, match="regular expression"):
            list(run.find_keys(wrong))
    served.store(recording.rows([{"late_key": 1.0}], first_step=1))
    assert list(run.find_keys("^la.*_k")) == ["late_key"]
