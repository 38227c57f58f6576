"""Decoding of selected columns."""

from __future__ import annotations

from runstream_schemas.codec import decode_columns, encode
from runstream_schemas.events import ColumnType
from tests.integration.runtime.events import block, run_in, writer


def test_only_accepted_columns_are_decoded() -> None:
    """Columns are selected by path and type; steps and times are always decoded."""
    message = encode(block(run_in(0), writer(1), 0, 2, rows=[{"a": 1.5, "b": {"c": [1]}}, {"a": 2.5, "d": 3}]))
    event = decode_columns(message, lambda path, kind: path == ("a",) or kind is ColumnType.JSON)
    assert [column.path for column in event.columns] == [("a",), ("b", "c")]
    assert event.steps.tolist() == [0, 1]
    assert len(decode_columns(message, lambda *_: False).columns) == 0
