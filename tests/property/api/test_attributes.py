"""The documents and pages of runs whose attributes, metadata and summary have arbitrary values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import ValuesResponse
from runstream_consumers.api.documents.delivery_report import delivery_report
from runstream_consumers.api.documents.run_documents import FoundRun, run_document
from runstream_consumers.summary.reader import RunDocument
from runstream_consumers.web import run_table
from runstream_consumers.web.rendering import render
from runstream_consumers.web.run_pages import page_values
from runstream_schemas import values
from runstream_schemas.attributes import Attributes, validated
from runstream_schemas.topics import RunPath
from tests.contract.meaning import canonical
from tests.property.schemas.strategies import json_values

NAMES = [name for name in Attributes.__slots__ if name != "invalid"]
NUMBERS = st.sampled_from([253402300800, 1e308, -1e18, float("nan"), float("inf"), 10**400, -1, True, 1767323045.5])
VALUES = st.one_of(json_values, NUMBERS, st.lists(st.text(max_size=3), max_size=3), st.text(max_size=9))
SOME = st.dictionaries(st.sampled_from([*NAMES, "other"]), VALUES, max_size=6)
ANY = st.dictionaries(st.sampled_from(["host", "username", "a.b", "_step", "get"]), VALUES, max_size=4)


@st.composite
def found_runs(draw: st.DrawFn) -> FoundRun:
    """Draw a run as it is read from the tables."""
    run = RunPath(entity="ada", project="digits", run_id="r")
    created = draw(st.sampled_from([0, 1_767_323_045_000_000]))
    document = RunDocument(
        run=run,
        attributes=draw(SOME),
        metadata=draw(ANY),
        config=draw(ANY),
        summary=draw(ANY),
        last_step=draw(st.sampled_from([None, -(2**63), 2**63 - 1])),
        created=created,
        updated=created,
    )
    return FoundRun(run=run, document=document, state=None)


@given(st.lists(found_runs(), max_size=3))
def test_a_list_of_runs_has_every_run(found: list[FoundRun]) -> None:
    """Documents and lines of the page work with any value; what is not valid is in the document."""
    listed = [run_document(item, "http://x") for item in found]
    answer = values.load(bytes(ValuesResponse(models.RunList(runs=listed, next=None, truncated=False)).body).decode())
    lines = [run_table.run_line(item, 1e9) for item in found]
    render(
        "project.html",
        entity="ada",
        project="p",
        here="/ada/p",
        runs=lines,
        columns=run_table.columns_of(lines),
        alerts=[],
        live=False,
        link=lambda **changed: run_table.parameters([], **changed),
        known={},
        states=[],
        is_first=True,
        truncated=False,
        older=None,
    )
    for item, document in zip(found, answer["runs"], strict=True):
        for name, value in document["invalid_attributes"].items():
            assert canonical(value) == canonical(item.document.attributes[name])


@given(found_runs())
def test_the_page_of_a_run_is_shown(found: FoundRun) -> None:
    """The page of a run of which nothing else has arrived is rendered with any values, and names the invalid ones."""
    document = run_document(found, "http://x")
    values = page_values(found, document, delivery_report([], []), search="", now=1e9)
    text = render("run.html", layout="base.html", alerts=[], console=[], **values)
    assert ("Invalid attributes" in text) is bool(document.invalid_attributes)


@given(SOME)
def test_a_valid_value_is_used_and_an_invalid_one_is_kept(given_attributes: dict[str, Any]) -> None:
    """Each known attribute that is set is either in the model or among the invalid ones, unchanged."""
    model = validated(given_attributes)
    for name in NAMES:
        value = given_attributes.get(name)
        if name in model.invalid:
            assert model.invalid[name] is value
        elif value is not None and name != "stop_requested":
            assert getattr(model, name) == (tuple(value) if isinstance(value, list) else value)
