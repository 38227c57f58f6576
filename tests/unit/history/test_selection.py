"""The columns that a key selects."""

from __future__ import annotations

import pytest

from runstream_consumers.history.selection import Selection
from runstream_schemas.events import ColumnType


@pytest.mark.parametrize(
    ("keys", "path", "expected"),
    [
        (None, ("anything",), True),
        ([], ("loss",), False),
        (["loss"], ("loss",), True),
        (["loss"], ("losses",), False),
        (["loss"], ("loss", "train"), True),
        (["loss.train"], ("loss", "train"), True),
        (["loss.train"], ("loss.train",), True),
        (["loss.train"], ("loss",), False),
        (["a.b"], ("a", "b", "c"), True),
        (["a.b", "x"], ("a", "bc"), False),
    ],
)
def test_a_key_selects_its_column_and_nested_columns(
    keys: list[str] | None, path: tuple[str, ...], *, expected: bool
) -> None:
    """A key is a path joined by dots; it also selects every column of a dict with that name."""
    assert Selection.of(keys).accepts(path, ColumnType.FLOAT64) is expected
