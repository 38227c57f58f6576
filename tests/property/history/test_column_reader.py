"""Reading some columns of a block yields what decoding all of them yields."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.history.selection import Selection
from runstream_schemas.codec import decode_columns, encode
from tests.integration.runtime.events import block, run_in, writer

_NAMES = st.sampled_from(["a", "b", "a.b", "é", "long" * 40, "a/b"])
_VALUES = st.one_of(st.floats(), st.integers(-5, 5), st.booleans(), st.none(), st.text(max_size=80), st.just([1]))
_ROWS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    _NAMES, st.one_of(_VALUES, st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=3)), max_size=5
)


@given(
    rows=st.lists(_ROWS, min_size=1, max_size=20),
    keys=st.lists(st.one_of(_NAMES, st.just("a.b.a"), st.text(max_size=3)), max_size=3),
    is_numeric=st.booleans(),
)
def test_selected_columns_are_those_of_the_whole_block(
    rows: list[dict[str, Any]], *, keys: list[str], is_numeric: bool
) -> None:
    """Paths, types, rows and values are equal, in the same order, whatever is not selected."""
    message = encode(block(run_in(0), writer(1), 0, len(rows), rows=rows))
    selection = Selection.of(keys, is_numeric=is_numeric)
    expected = decode_columns(message, selection.accepts)
    for _ in range(2):  # the second time with what it remembers
        found = selection.read(message)
        assert str(found.columns) == str(expected.columns)
        assert found.header == expected.header
        assert found.stream is expected.stream
        for field in ("steps", "times", "orders"):
            assert getattr(found, field).tolist() == getattr(expected, field).tolist()
