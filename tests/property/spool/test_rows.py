"""Any sequence of log() calls, against a model of the rules written the slow way."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runstream.shipper.assembly import Assembler
from runstream.spool.reader import SpoolReader
from runstream.spool.writer import SpoolWriter
from runstream.tracking.history import History
from tests.unit.producer.spooled import rows

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), min_size=1, max_size=2),
)
CALLS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
        st.one_of(st.none(), st.integers(-1, 6)),
        st.sampled_from([None, True, False]),
    ),
    max_size=25,
)


class Model:
    """Rows as lists, merged in place."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.counter = 0
        self.open: dict[str, Any] | None = None

    def log(self, data: dict[str, Any], step: int | None, commit: bool | None) -> None:  # noqa: FBT001
        """Apply one call."""
        at = self.counter if step is None else step
        if at < self.counter:
            self.rows.append((at, {}))
            _merge(self.rows[-1][1], data)
            return
        if self.open is None or at > self.counter:
            self.open = {}
            self.rows.append((at, self.open))
        _merge(self.open, data)
        self.counter = at
        if commit or (commit is None and step is None):
            self.open = None
            self.counter = at + 1

    def last(self) -> dict[str, Any]:
        """Return the last value of each key: of the greatest step, and of one step of the latest row."""
        found: dict[str, Any] = {}
        for _, values in sorted(self.rows, key=lambda row: row[0]):
            _merge(found, values)
        return found


@settings(deadline=None)
@given(CALLS)
def test_rows_are_those_of_the_model(calls: list[tuple[dict[str, Any], int | None, bool | None]]) -> None:
    """Rows, their steps and their joining are the model's, read by the test's rules and by the shipper's alike."""
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        history = History(SpoolWriter(Path(folder), bytes(16), smallest=4096, largest=4096))
        for data, step, commit in calls:
            history.log(data, step, commit)
            model.log(data, step, commit)
        found = [(row.step, row.values) for row in rows(Path(folder))]
        shipped = _assembled(Path(folder))

    assert model.rows == found
    assert model.rows == shipped
    assert model.counter == history.counter


@settings(deadline=None)
@given(CALLS.map(lambda calls: [(_without_none(data), step, commit) for data, step, commit in calls]))
def test_last_values_are_those_of_the_greatest_steps(
    calls: list[tuple[dict[str, Any], int | None, bool | None]],
) -> None:
    """They are what one gets by merging all rows by step, once the last row is closed."""
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        history = History(SpoolWriter(Path(folder), bytes(16), smallest=4096, largest=4096))
        for data, step, commit in [*calls, ({}, None, None)]:
            history.log(data, step, commit)
            model.log(data, step, commit)
        assert model.last() == history.last_values()


def _assembled(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    reader = SpoolReader(folder)
    assembler = Assembler({}, block_bytes=10_000, block_rows=7)
    while batch := reader.read(ended=True):
        assembler.take(batch)
    reader.close()
    assembler.close_row()
    blocks = assembler.blocks()
    return [row for block in blocks for row in zip(block.steps, block.values, strict=True)]


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value)
        else:
            into[key] = value


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
