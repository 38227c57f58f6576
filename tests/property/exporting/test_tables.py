"""Rows of any shape are the same in an exported file, and a file is complete or does not exist."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream.exporting.columns import Kind
from runstream.exporting.formats import Format, write_table
from runstream.exporting.row_spool import RowSpool
from runstream.public_api.frames import flat
from runstream_schemas import values

KEYS = st.sampled_from(["a", "b", "c.d", "é", "_step"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20).map(str.strip)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)
ROWS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=20)


def exported(rows: list[dict[str, Any]], chosen: Format, read: Any) -> tuple[Any, dict[str, Kind]]:
    """Write rows to a file; return what a function reads of it, and the types of the columns."""
    with tempfile.TemporaryDirectory() as folder, RowSpool(Path(folder)) as spool:
        for row in rows:
            spool.add(row)
        path = Path(folder, f"rows.{chosen.value}")
        write_table(spool, path, chosen, {"run": "a/b/c"})
        assert [one.name for one in Path(folder).iterdir()] == [path.name]
        return read(path), spool.columns.kinds


def expected(value: Any, kind: Kind) -> Any:
    """Return a value as a column of a type shows it."""
    if value is None:
        return None
    if kind is Kind.TEXT:
        return value if isinstance(value, str) else json.loads(values.dump(value))
    return float(value) if kind is Kind.FLOAT else value


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; NaN is equal to itself."""
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or (one == other and type(one) is type(other))


@given(rows=ROWS)
def test_a_parquet_file_has_the_rows(rows: list[dict[str, Any]]) -> None:
    """Each value is in the column of its key, in a type that holds all values of the column."""
    table, kinds = exported(rows, Format.PARQUET, pq.read_table)

    found = table.to_pylist()
    assert table.column_names == [*kinds]
    assert len(found) == len(rows) or not kinds
    for row, given_row in zip(found, map(flat, rows), strict=False):
        for name, kind in kinds.items():
            value, wanted = row[name], expected(given_row.get(name), kind)
            is_json = kind is Kind.TEXT and not isinstance(given_row.get(name), str | None)
            assert same(json.loads(value) if is_json else value, wanted)


@given(rows=ROWS)
def test_a_csv_file_has_the_rows(rows: list[dict[str, Any]]) -> None:
    """The header has all columns, and each row its values; what is missing is empty."""

    def read(path: Path) -> list[dict[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    found, kinds = exported(rows, Format.CSV, read)

    for row, given_row in zip(found, (one for one in map(flat, rows) if kinds), strict=False):
        for name, kind in kinds.items():
            value = expected(given_row.get(name), kind)
            if value is None:
                assert row[name] == ""
            elif kind in {Kind.INT, Kind.FLOAT}:
                assert same(float(row[name]), float(value))
            elif kind is Kind.BOOL:
                assert row[name] == str(value).lower()


def test_a_file_that_could_not_be_written_does_not_exist(tmp_path: Path) -> None:
    """After an error in the middle there is neither the file nor a part of it, and an earlier file is kept."""
    path = tmp_path / "rows.csv"
    path.write_text("earlier")

    class Failing(RowSpool):
        def batches(self, size: int) -> Any:
            yield from super().batches(size)
            raise OSError(28, "No space left on device")

    with Failing(tmp_path) as spool:
        spool.add({"a": 1})
        with pytest.raises(OSError, match="No space left"):
            write_table(spool, path, Format.CSV, {})

    assert [one.name for one in tmp_path.iterdir()] == ["rows.csv"]
    assert path.read_text() == "earlier"
