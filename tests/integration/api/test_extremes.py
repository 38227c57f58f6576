"""Values and steps at the limits of the contract, through every document of the API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream.public_api.api import Api
from runstream_schemas import values
from tests.events import changed
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN

if TYPE_CHECKING:
    import pytest

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
