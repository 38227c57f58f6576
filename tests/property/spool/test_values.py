"""Any logged value is refused with one error, or recorded as the same plain values whatever was logged before."""

from __future__ import annotations

import math
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runstream.exceptions import DataError
from runstream.spool.plain_values import plain_row
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from runstream.tracking.values.encoder import DEFAULT_ENCODER
from runstream_schemas.limits import DEFAULT_LIMITS
from tests.unit.producer.spooled import rows

SCALARS = st.one_of(
    st.floats(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(st.characters(), max_size=9),
    st.binary(max_size=9),
    st.complex_numbers(),
    st.sampled_from([Decimal("1.5"), datetime(2020, 1, 2, tzinfo=UTC), range(3), object(), 1.5, 2.5]),
    st.builds(np.float64, st.floats()),
    st.builds(np.float32, st.floats(width=32)),
    st.builds(np.int16, st.integers(-9, 9)),
    st.builds(np.full, st.integers(0, 40), st.floats(-9, 9)),
)
KEYS = st.one_of(st.sampled_from("ab"), st.integers(0, 3), st.none(), st.booleans())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=9) | st.dictionaries(KEYS, inner, max_size=2))
ROWS = st.lists(st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2), max_size=9)


@settings(deadline=None)
@given(ROWS)
def test_a_row_does_not_depend_on_earlier_rows(data: list[dict[str, Any]]) -> None:
    """A row is recorded or refused as in a new run."""
    expected = []
    with tempfile.TemporaryDirectory() as folder:
        history = RowLog(SpoolWriter(Path(folder), bytes(16), smallest=4096, largest=4096))
        for row in data:
            try:
                expected.append(as_shipped(DEFAULT_ENCODER.row(row)))
            except DataError:
                assert refused(history, row)
            else:
                history.log(row)
        found = [as_shipped(row.values) for row in rows(Path(folder))]

    assert spelled(expected) == spelled(found)


def as_shipped(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it is published."""
    return plain_row(row, DEFAULT_LIMITS)


def refused(history: RowLog, row: dict[str, Any]) -> bool:
    """Log a row; return whether it was refused."""
    try:
        history.log(row)
    except DataError:
        return True
    return False


def spelled(value: Any) -> Any:
    """Return a value in a form in which NaN equals NaN."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, dict):
        return {key: spelled(inner) for key, inner in value.items()}
    return [spelled(inner) for inner in value] if isinstance(value, list) else value
