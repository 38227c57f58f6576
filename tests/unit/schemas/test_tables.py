"""Files of tables, read row by row."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas.exceptions import InvalidTable
from runstream_schemas.stored.tables import TableReader, read_rows

CELLS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda cells: st.lists(cells, max_size=3) | st.dictionaries(st.text(max_size=3), cells, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(st.lists(CELLS, max_size=3), max_size=6),
    st.lists(st.text(max_size=3), max_size=3),
    st.integers(1, 40),
    st.fixed_dictionaries({"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 1])}),
)
def test_a_table_is_read_in_pieces_of_any_size(
    rows: list[list[Any]], columns: list[str], size: int, options: dict[str, Any]
) -> None:
    """Rows and columns are those of the JSON text, whichever way it is written and divided."""
    for order in (("columns", "data", "ncols"), ("ncols", "data", "columns")):
        content = {"columns": columns, "data": rows, "ncols": 12}
        text = json.dumps({name: content[name] for name in order}, **options)
        encoded = text.encode()
        reader = TableReader()
        pieces = (encoded[at : at + size] for at in range(0, len(encoded), size))
        assert list(read_rows(pieces, reader)) == rows
        assert (reader.columns, reader.header["ncols"]) == (columns, 12)


def test_numbers_that_json_does_not_have_are_read() -> None:
    """W&B writes NaN and infinities as Python does."""
    (row,) = read_rows([b'{"columns": ["a", "b"], "data": [[NaN, -Infinity]]}'])
    assert math.isnan(row[0])
    assert row[1] == -math.inf


def test_rows_are_returned_as_soon_as_they_are_complete() -> None:
    """A reader of the first rows need not read the file to its end."""
    reader = TableReader()
    assert reader.feed(b'{"columns": ["a"], "data": [[1], [2], [3') == [[1], [2]]
    assert reader.columns == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b'{"columns": ["a"], "data": [[1]',
        b'{"columns": ["a"], "data": 3}',
        b'{"data": [1 2]}',
        b'{"a": 1} x',
        b'{"a": nul}',
        b"{1: 2}",
        b'{"a": 1;}',
        b'{"a": "\xff"}',
        b'{"data": ' + b"[" * 100_000,
    ],
    ids=lambda text: text[:20].decode(errors="replace"),
)
def test_other_files_are_refused(text: bytes) -> None:
    """The message shows where the file is not that of a table."""
    with pytest.raises(InvalidTable, match="Invalid table: "):
        list(read_rows([text[:7], text[7:]]))
