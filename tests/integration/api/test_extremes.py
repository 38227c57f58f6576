"""Values and steps at the limits of the contract, through every document of the API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runstream.public_api.api import Api
from runstream_schemas import values
from runstream_schemas.events import Kind, Stream
from tests.events import changed
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

#: Users' values that look like the JSON form of a float, or like what such a value is written as.
LOOKALIKES: dict[str, Any] = {
    "x": {"_type": "float", "value": [1]},
    "y": {"_type": "float", "value": "NaN"},
    "z": {"_type": "~float", "value": {"_type": "float", "value": "Infinity"}},
    "list": [{"_type": "float", "value": "NaN"}, {"_type": "~float", "value": math.inf}],
    "weights": {"_type": "histogram", "bins": [0.0, 1.0], "values": [3]},
}


def nested(depth: int) -> Any:
    """Return a list in lists of this depth."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_values_that_look_like_floats_are_returned_as_logged(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """No document fails or changes them, and delivery is complete; `Api` returns them as well."""
    writer = new_recording("lookalikes").start(LOOKALIKES).summary(**LOOKALIKES)
    writer.rows([LOOKALIKES, {"_type": "float", "value": [1]}]).exit()
    served.store(writer)

    path = f"/api/v1/runs/{writer.run}"
    read = {
        part: values.load(served.ask(path + part).text) for part in ("/config", "/summary", "/scan", "/history", "")
    }
    assert read["/config"] == LOOKALIKES == read[""]["config"]
    for summary in (read["/summary"], read[""]["summary"]):
        assert {name: summary[name] for name in LOOKALIKES} == LOOKALIKES
    for part in ("/scan", "/history"):
        first, bare = ({key: row[key] for key in row if key != "_step"} for row in read[part]["rows"])
        assert {name: first[name] for name in LOOKALIKES} == LOOKALIKES
        assert (bare["_type"], bare["value"]) == ("float", [1])
    assert served.run(writer, "/delivery")["complete"]
    monkeypatch.setenv("RUNSTREAM_URL", served.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    run = Api().run(str(writer.run))
    assert (run.config, run.summary["y"]) == (LOOKALIKES, LOOKALIKES["y"])


def test_the_least_and_the_greatest_step_are_delivered(served: Served) -> None:
    """A block of all steps of 64 bits is stored, paged, sampled and summarized; so are lists nested 64 deep."""
    writer = new_recording("extremes").start({"deep": nested(64)}).rows([{"x": 1.0, "deep": nested(64)}] * 3)
    steps = [-(2**63), 0, 2**63 - 1]
    writer.sent[-1] = changed(writer.sent[-1], steps=np.array(steps, dtype=np.int64))
    served.store(writer.exit())

    found: list[int] = []
    cursor: dict[str, str] = {}
    while len(found) < len(steps):
        page = served.run(writer, "/scan", page_size=1, **cursor)
        assert [row["deep"] for row in page["rows"]] == [nested(64)]
        found += [row["_step"] for row in page["rows"]]
        cursor = {"cursor": page["next"]}
    assert (found, page["next"]) == (steps, None)
    assert served.run(writer, "/series", samples=4)["series"][0]["steps"] == steps
    assert [row["_step"] for row in served.run(writer, "/history")["rows"]] == steps
    assert served.run(writer)["last_step"] == steps[-1] == served.run(writer, "/summary")["_step"]
    assert served.run(writer, "/resume-state", step=steps[0])["last_step"] == steps[-1]
    assert served.run(writer, "/delivery")["complete"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"start_time": 253402300800},
        {"start_time": 1e308},
        {"start_time": -1e18},
        {"start_time": math.nan},
        {"start_time": 10**400},
        {"notes": [1], "tags": {"a": 1}, "pinned_config_keys": 3, "name": {"x": []}, "group": 1.5, "job_type": [[]]},
        {"number": "7", "generated_name": 3, "label": {}, "preempting": [], "stop_requested": {"writers": 1}},
    ],
    ids=lambda attributes: next(f"{name}={value!s:.9}" for name, value in attributes.items()),
)
def test_invalid_attributes_harm_no_page(served: Served, attributes: dict[str, Any]) -> None:
    """Such a run and every list that it is part of are read; its invalid attributes are shown."""
    name = f"invalid-{next(iter(attributes))}-{len(str(attributes))}"
    writer = new_recording(name, project="invalid").start({"big": 10**4000}, **attributes).rows([{"x": 1}]).exit()
    served.store(writer)

    assert {} != served.run(writer)["invalid_attributes"].keys() == attributes.keys()
    assert {"_step", "x"} <= served.run(writer, "/summary").keys()
    for page in ("/", "/ada/invalid", f"/ada/invalid/runs/{name}", "/api/v1/runs", "/api/v1/projects"):
        assert served.ask(page).status_code == 200
    for part in ("/history", "/scan", "/series", "/state", "/delivery", "/resume-state", "/summary-state", "/console"):
        assert served.ask(f"/api/v1/runs/{writer.run}{part}").status_code == 200
    assert not attributes.keys() & served.run(writer, "/resume-state")["attributes"].keys()


def _marker(recording: Recording) -> Recording:
    """Record that rows were dropped, and nothing else."""
    recording.rows([{"x": 1}])
    event = recording.sent[-1]
    empty = np.empty(0, dtype=np.int64)
    marker = changed(event, kind=Kind.DROPPED, reason="disk full", steps=empty, orders=empty, times=empty, columns=())
    recording.sent[-1] = marker
    return recording


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("rows", lambda one: one.rows([{"x": 1}])),
        ("console", lambda one: one.rows([{"text": {"a": 1}, "label": [1], "stream": 2}], stream=Stream.CONSOLE)),
        ("beat", lambda one: one.beat()),
        ("exit", lambda one: one.exit()),
        ("alert", lambda one: one.alert("t", wait_ms=2**62)),
        ("summary", lambda one: one.summary(x=1)),
        ("marker", _marker),
    ],
)
def test_a_run_of_a_single_event_has_a_page(
    served: Served, name: str, record: Callable[[Recording], Recording]
) -> None:
    """Its page and every document are shown, whatever has arrived first."""
    recording = record(new_recording(f"only-{name}", project="only"))
    served.publish(recording)

    path = f"/api/v1/runs/{recording.run}"
    eventually(lambda: served.ask(path).status_code == 200)
    parts = ["", "/summary", "/config", "/history", "/scan", "/series", "/system", "/state", "/delivery", "/console"]
    for part in [*parts, "/resume-state"]:
        assert served.ask(path + part).status_code == 200
    assert served.ask(f"/ada/only/runs/{recording.run.run_id}").status_code == 200
