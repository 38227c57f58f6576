"""What documents of runs in lists have, and leave out."""

from __future__ import annotations

from typing import Any

from runstream_consumers.api.documents.run_documents import FoundRun, listed_document, run_document
from runstream_consumers.liveness.reader import RunState
from runstream_consumers.summary.reader import RunDocument
from runstream_schemas.topics import RunPath


def _run(**parts: Any) -> FoundRun:
    path = RunPath(entity="ada", project="digits", run_id="k3f9")
    return FoundRun(run=path, document=RunDocument(run=path, **parts), state=RunState(state="finished", qualifiers=[]))


def test_lists_leave_out_long_metadata() -> None:
    """What is left out is named; other values of any type are kept."""
    run = _run(metadata={"host": "a", "packages": ["numpy==2"], "git": {"commit": "c", "diff": "+x"}})
    document = listed_document(run, "http://h")
    assert (document.metadata, document.omitted) == ({"host": "a", "git": {"commit": "c"}}, ["packages", "git.diff"])
    plain = listed_document(_run(metadata={"git": "none"}), "http://h")
    assert (plain.metadata, plain.omitted) == ({"git": "none"}, [])


def test_documents_have_the_charts_that_are_valid() -> None:
    """A chart without a definition, fields, texts or a table is an invalid attribute; lists leave charts out."""
    chart = {"definition": "wandb/line/v0", "fields": {"x": "a"}, "strings": {"title": "T"}, "table": "c_table"}
    run = _run(attributes={"charts": {"c": {**chart, "more": 1}, "d": {**chart, "fields": {"x": 1}}, "e": 3}})
    document = run_document(run, "http://h")
    assert {key: found.model_dump() for key, found in document.charts.items()} == {"c": chart}
    assert document.invalid_attributes.keys() == {"charts"}
    assert listed_document(run, "http://h").charts == {}
