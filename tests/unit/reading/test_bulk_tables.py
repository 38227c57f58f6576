"""Tables of all rows: their columns, types and missing values, in each format."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from runstream.exceptions import UsageError
from runstream.public_api.bulk.batches import Labels, RowBatch
from runstream.public_api.bulk.tables import table_of
from runstream_schemas.rows import pack_rows

FORMATS = ("pandas", "polars", "arrow")
_BATCHES: list[list[dict[str, Any]]] = [
    [{"loss": 1.5, "lr": 1, "ok": True, "text": "a", "deep": {"x": 1}}, {"loss": math.nan, "lr": 0.5, "text": "é"}],
    [{"lr": 2, "ok": False, "list": [1, "b"], "deep": {"x": 2}, "mixed": 1}, {"mixed": "two", "none": None}],
]


def _batch(rows: list[dict[str, Any]], first: int) -> RowBatch:
    return RowBatch(len(rows), {"_step": np.arange(first, first + len(rows))}, pack_rows(rows))


def _read(into: str, keys: list[str] | None = None) -> Any:
    return table_of([_batch(rows, 2 * number) for number, rows in enumerate(_BATCHES)], keys, into)


def _lists(into: str, table: Any) -> dict[str, list[Any]]:
    if into == "pandas":
        lists = {name: table[name].tolist() for name in table}
    else:
        lists = table.to_dict(as_series=False) if into == "polars" else table.to_pydict()
    return {name: [None if _is_nan(one) else one for one in items] for name, items in lists.items()}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


@pytest.mark.parametrize("into", FORMATS)
def test_all_rows_are_one_table(into: str) -> None:
    """Columns of several pages, also of those that lack a key, are joined; integers and floats are floats."""
    found = _lists(into, _read(into))
    as_text = into != "pandas"
    assert found == {
        "_step": [0, 1, 2, 3],
        "loss": [1.5, None, None, None],
        "lr": [1.0, 0.5, 2.0, None],
        "ok": [True, None, False, None],
        "text": ["a", "é", None, None],
        "deep.x": [1, None, 2, None],
        "list": [None, None, '[1,"b"]' if as_text else [1, "b"], None],
        "mixed": [None, None, "1" if as_text else 1, "two"],
        "none": [None] * 4,
    }


@pytest.mark.parametrize("into", FORMATS)
def test_rows_that_lack_a_key_are_left_out(into: str) -> None:
    """With keys, a row is in the table if it has all of them, under a name or below it; there may be none."""
    assert _lists(into, _read(into, ["lr", "deep"]))["_step"] == [0, 2]
    assert len(_read(into, ["loss", "list"])) == 0
    assert len(table_of([], ["loss"], into)) == 0


@pytest.mark.parametrize("into", FORMATS)
def test_writers_are_a_column_of_texts(into: str) -> None:
    """Also if several wrote the rows of a batch, or if the writers of batches differ."""
    labels = [Labels(["a", "b"], np.array([0, 1, 0])), Labels(["b"], np.array([0, 0])), Labels([], np.zeros(0, int))]
    batches = [RowBatch(len(one.numbers), {"_writer": one}, []) for one in labels]
    assert _lists(into, table_of(batches, None, into)) == {"_writer": ["a", "b", "a", "b", "b"]}
    assert [row for batch in batches for row in batch.fields["_writer"].tolist()] == ["a", "b", "a", "b", "b"]


def test_missing_numbers_are_null_where_nan_was_logged_too() -> None:
    """Arrow distinguishes a value that is NaN from one that a row does not have."""
    found = _read("arrow")["loss"].to_pylist()
    assert math.isnan(found[1])
    assert found[2:] == [None, None]


def test_an_unknown_format_is_an_error() -> None:
    """The message has the formats that there are."""
    with pytest.raises(UsageError, match="'pandas', 'polars', 'arrow'"):
        table_of([], None, "csv")
