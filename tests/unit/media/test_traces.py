"""Traces of calls of models: what a row holds of them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import runstream
from runstream.media.trace_tree import Span, SpanKind, StatusCode, Trace, WBTraceTree
from tests.unit.media.recorded import recorded_run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_trace_is_a_row_with_its_spans_as_json(tmp_path: Path) -> None:
    """The root span has its children; arrays are lists, and what JSON cannot represent is its type."""
    trace = Trace(
        "chain", kind="chain", status_code="success", start_time_ms=1, end_time_ms=5, model_dict={"_kind": "fake"}
    )
    call = Trace("call", kind="LLM", inputs={"question": "how many?"}, outputs={"scores": np.ones(2), "raw": object()})
    call.add_metadata({"tokens": 3})
    with recorded_run(tmp_path) as recorded:
        trace.add_child(call).log("my trace")

    value = recorded.rows[0]["my trace"]
    assert value["_type"] == "wb_trace_tree"
    assert json.loads(value["model_dict_dumps"]) == {"_kind": "fake"}
    assert (
        value["model_hash"] == hashlib.md5(value["model_dict_dumps"].encode(), usedforsecurity=False).hexdigest()[:16]
    )
    root = json.loads(value["root_span_dumps"])
    assert (root["name"], root["span_kind"], root["status_code"], root["end_time_ms"]) == (
        "chain",
        "CHAIN",
        "SUCCESS",
        5,
    )
    child = root["child_spans"][0]
    assert child["results"] == [
        {"inputs": {"question": "how many?"}, "outputs": {"scores": [1.0, 1.0], "raw": "<<non-serializable: object>>"}}
    ]
    assert (child["attributes"], child["child_spans"]) == ({"tokens": 3}, None)


def test_the_attributes_of_a_trace_can_be_set() -> None:
    """They are those of its span; assigned inputs and outputs are one more result with the last others."""
    trace = Trace("a", inputs={"x": 1}, outputs={"y": 2}, metadata={"m": 1})
    trace.name, trace.status_message, trace.kind = "b", "done", "tool"
    trace.inputs = {"x": 3}
    trace.outputs = {"y": 4}
    trace.metadata = {"n": 2}

    assert (trace.name, trace.status_message, trace.kind) == ("b", "done", "TOOL")
    assert (trace.inputs, trace.outputs, trace.metadata) == ({"x": 3}, {"y": 4}, {"m": 1, "n": 2})
    assert not hasattr(trace, "other")


def test_model_dicts_of_children_are_part_of_that_of_the_parent() -> None:
    """By the name of the child."""
    parent = Trace("a", model_dict={"kind": 1}).add_child(Trace("b", model_dict={"kind": 2}))

    described = WBTraceTree(parent._span, parent._model_dict).record(None)  # type: ignore[arg-type]  # noqa: SLF001
    assert json.loads(described["model_dict_dumps"]) == {"kind": 1, "b": {"kind": 2}}


def test_spans_can_be_built_one_by_one(tmp_path: Path) -> None:
    """As programs do that log a WBTraceTree themselves."""
    span = Span(name="root", span_kind=SpanKind.AGENT, status_code=StatusCode.ERROR)
    span.add_attribute("a", 1)
    span.add_named_result({"x": 1}, {"y": 2})
    span.add_child_span(Span(name="child"))
    with recorded_run(tmp_path) as recorded:
        recorded.run.log({"t": WBTraceTree(span)})

    assert recorded.rows[0]["t"].keys() - {"_type"} == {"root_span_dumps"}


@pytest.mark.parametrize(
    "arguments", [{"kind": "other"}, {"status_code": "lost"}, {"inputs": [1]}, {"metadata": 3}, {"model_dict": "x"}]
)
def test_an_invalid_argument_is_refused(arguments: dict[str, Any]) -> None:
    """With the exception of W&B, and its name in the message."""
    with pytest.raises(AssertionError, match=next(iter(arguments))):
        Trace("a", **arguments)


def test_a_trace_needs_a_run_and_a_name(tmp_path: Path) -> None:
    """Both are the exception of W&B."""
    with pytest.raises(AssertionError, match="init"):
        Trace("a").log("t")
    with recorded_run(tmp_path), pytest.raises(AssertionError, match="name"):
        Trace("a").log(" ")
    assert runstream.run is None
