"""Sequences of log() calls, compared with a simple model of the rules."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.row_log import RowLog
from tests.unit.producer.row_model import RowModel, assembled
from tests.unit.producer.spooled import rows

#: The arguments of a call of log().
Call = tuple[dict[str, Any], int | None, bool | None]

SCALARS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5))
DICTS = st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), min_size=1, max_size=2)


def calls_of(data: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[Call]]:
    """Return calls with any step and commit."""
    steps = st.one_of(st.none(), st.integers(-1, 6))
    return st.lists(st.tuples(data, steps, st.sampled_from([None, True, False])), max_size=25)


CALLS = calls_of(st.dictionaries(st.sampled_from("abc"), st.none() | SCALARS | DICTS, max_size=3))
#: Values of the same key may be None, which does not change the last value, or a dict in one row and not in another.
PLAIN_CALLS = calls_of(st.fixed_dictionaries({}, optional={"a": SCALARS, "b": SCALARS, "c": DICTS}))


@settings(deadline=None)
@given(CALLS)
def test_rows_are_those_of_the_model(calls: list[Call]) -> None:
    """Rows, steps and merged values are those of the model, in the spool and as assembled by the shipper."""
    model = RowModel()
    with tempfile.TemporaryDirectory() as folder:
        history = RowLog(SpoolWriter(Path(folder), bytes(16), smallest=4096, largest=4096))
        for data, step, commit in calls:
            history.log(data, step, commit)
            model.log(data, step, commit)
        found = [(row.step, row.values) for row in rows(Path(folder))]
        shipped = assembled(Path(folder))

    assert model.rows == found
    assert model.rows == shipped
    assert model.counter == history.counter


@settings(deadline=None)
@given(PLAIN_CALLS)
def test_last_values_are_those_of_the_greatest_steps(calls: list[Call]) -> None:
    """They equal the result of merging all rows by step, once the last row is closed."""
    model = RowModel()
    with tempfile.TemporaryDirectory() as folder:
        history = RowLog(SpoolWriter(Path(folder), bytes(16), smallest=4096, largest=4096))
        for data, step, commit in [*calls, ({}, None, None)]:
            history.log(data, step, commit)
            model.log(data, step, commit)
        assert model.last() == history.last_values()
