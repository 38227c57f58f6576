"""JSON texts of arbitrary values, at every place that writes or reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from runstream.run_folder.json_files import read_json
from runstream.shipper.delivery.report import Report
from runstream_consumers.api.documents.answers import ValuesResponse
from runstream_consumers.api.documents.row_pages import render_rows
from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.tables.row_table import RowTable
from runstream_consumers.summary.packing import documents, text_of, texts
from runstream_schemas import values
from runstream_schemas.events import ChangeEvent, Entry, Header, Kind, Operation, Record, Role, Scope, Writer
from runstream_schemas.rows import pack_rows, unpack_rows
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.state_codec import decode_state, encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath, Topic
from tests.contract.meaning import canonical
from tests.faults.plain_reader import untagged
from tests.property.schemas.strategies import json_values, nested_values
from tests.property.schemas.test_rows import as_stored, block_of

if TYPE_CHECKING:
    from pathlib import Path

RUN = RunPath(entity="e", project="p", run_id="r")
ROWS = st.dictionaries(st.sampled_from(["x", "y", "_type", "value"]), nested_values, min_size=1, max_size=3)


@given(json_values)
def test_any_value_is_read_as_it_was_written(value: Any) -> None:
    """No value is taken for the JSON form of another, by this reader or by an independent one."""
    text = values.dump(value)
    assert canonical(values.load(text)) == canonical(value)
    assert canonical(json.loads(text, object_hook=untagged)) == canonical(value)
    assert values.dump(values.load(text)) == text


@given(json_values)
def test_any_json_text_is_read(value: Any) -> None:
    """A text of a writer that does not escape dicts, as earlier versions, is read without an error."""
    text = json.dumps(values.load(values.dump(value)), allow_nan=True)
    values.dump(values.load(text))


@given(json_values)
def test_a_document_is_stored_as_a_text_of_the_same_meaning(value: Any) -> None:
    """The fast encoder is used only if nothing is lost by it, and the text is ASCII."""
    text = text_of({"key": value})
    assert canonical(values.load(text)) == canonical({"key": value})
    assert text.isascii()


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_rows_reach_readers_as_they_were_logged(rows: list[dict[str, Any]]) -> None:
    """Dicts that are divided into columns and assembled again are served as they were logged."""
    event = block_of(rows)
    answer = ValuesResponse({"rows": unpack_rows(event)}).body
    assert canonical(values.load(bytes(answer).decode())["rows"]) == canonical([as_stored(row) for row in rows])
    table = RowTable.of(Block(b"w" * 16, 0, 0, 0, 0, 0, Message(b"")), event)
    page = values.load(render_rows(table, None, ["_step"], next=None).decode())
    for row in page["rows"]:
        del row["_step"]
    assert canonical(page["rows"]) == canonical([as_stored(row) for row in rows])


@given(st.dictionaries(st.sampled_from(["x", "_type", "value"]), json_values, min_size=1, max_size=3))
def test_config_and_summary_reach_readers_as_they_were_set(assigned: dict[str, Any]) -> None:
    """Entries are folded, stored, continued from the served state, and served unchanged."""
    state = SummaryState(run=RUN)
    for topic in (Topic.CONFIG, Topic.SUMMARY):
        state.fold(_change(topic, assigned), offset=1, append_time=1)
    continued = decode_state(RUN, _served(encode_state(state)))

    for known in (state, continued):
        assert canonical(values.load(texts(documents(known))["config"])) == canonical(assigned)
        assert canonical(_served(summary_of(known))) == canonical(assigned)


def test_report_is_continued_with_its_values(tmp_path: Path) -> None:
    """A restarted shipper reads non-finite points, and last values that look like them, as they were."""
    last = {"_type": "float", "value": "NaN"}
    rows: list[dict[str, Any]] = [{"x": float("inf"), "l": [last]}, {"x": float("nan"), "l": last}]
    report, continued = Report(), Report()
    report.add(pack_rows(rows), len(rows))
    path = tmp_path / "report.json"
    path.write_text(report.dump())

    continued.restore(read_json(path, values.load) or {})

    assert canonical(continued.to_json()) == canonical(report.to_json())


def _change(topic: Topic, assigned: dict[str, Any]) -> ChangeEvent:
    """Return the event that sets values, each dict in one entry for each of its keys."""
    scope = Scope.CONFIG if topic is Topic.CONFIG else Scope.UNKNOWN
    entries = [
        Entry(op=Operation.SET, path=path, value=values.dump(value), scope=scope)
        for name, whole in assigned.items()
        for path, value in _parts(name, whole)
    ]
    return ChangeEvent(
        header=Header(kind=Kind.DATA, run=RUN, writer=Writer(id=bytes(16), role=Role.PRIMARY), time=1, seq=0, count=1),
        topic=topic,
        records=(Record(order=1, time=1, entries=tuple(entries)),),
    )


def _served(content: dict[str, Any]) -> Any:
    """Return what a client reads from a response of the API."""
    return values.load(bytes(ValuesResponse(content).body).decode())


def _parts(name: str, value: Any) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        return [((name, inner), item) for inner, item in value.items()]
    return [((name,), value)]
