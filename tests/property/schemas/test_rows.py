"""Packing rows into columns, and unpacking them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas import events
from runstream_schemas.codec import decode, encode
from runstream_schemas.rows import cut, pack_rows, unpack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.contract.meaning import canonical, meaning_of
from tests.property.schemas.strategies import blocks, rows_of_a_block


def block_of(rows: list[dict[str, Any]]) -> events.LogEvent:
    """Return a block of rows numbered from 0."""
    numbers = np.arange(len(rows), dtype=np.int64)
    return events.LogEvent(
        header=events.Header(
            kind=events.Kind.DATA,
            run=RunPath(entity="e", project="p", run_id="r"),
            writer=events.Writer(id=bytes(16), role=events.Role.PRIMARY),
            time=0,
            seq=0,
            count=len(rows),
        ),
        stream=events.Stream.HISTORY,
        orders=numbers,
        steps=numbers,
        times=numbers,
        columns=pack_rows(rows),
    )


def as_stored(value: Any) -> Any:
    """Return a row as stored: without empty dicts, integers beyond 64 bits outside of lists as floats."""
    if isinstance(value, dict):
        inner = {key: as_stored(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item != {}}
    if type(value) is int and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value


@given(rows_of_a_block)
def test_unpacked_rows_equal_the_packed_ones(rows: list[dict[str, Any]]) -> None:
    """Each row has every value, with its type and nesting."""
    assert canonical([as_stored(row) for row in rows]) == canonical(unpack_rows(block_of(rows)))


@given(rows_of_a_block.filter(bool))
def test_rows_are_preserved_by_a_message(rows: list[dict[str, Any]]) -> None:
    """Encoding and decoding the block does not change its rows."""
    event = decode(Topic.LOG, encode(block_of(rows)))
    assert isinstance(event, events.LogEvent)
    assert canonical([as_stored(row) for row in rows]) == canonical(unpack_rows(event))


@given(blocks(), st.data())
def test_a_cut_block_has_a_slice_of_the_rows(block: events.LogEvent, data: st.DataObject) -> None:
    """Cutting a block is equivalent to slicing its rows, orders, steps and times."""
    start = data.draw(st.integers(0, block.count - 1))
    stop = data.draw(st.integers(start + 1, block.count))
    part = cut(block, start, stop)
    assert (block.seq + start, stop - start) == (part.seq, part.count)
    assert canonical(unpack_rows(block)[start:stop]) == canonical(unpack_rows(part))
    for name in ("orders", "steps", "times"):
        assert getattr(block, name)[start:stop].tolist() == getattr(part, name).tolist()


@given(blocks(), st.data())
def test_a_cut_block_can_be_encoded(block: events.LogEvent, data: st.DataObject) -> None:
    """A cut block is encoded and decoded like any other."""
    start = data.draw(st.integers(0, block.count - 1))
    part = cut(block, start, block.count)
    assert meaning_of(part) == meaning_of(decode(Topic.LOG, encode(part)))


@given(blocks(), st.data())
def test_cutting_twice_equals_cutting_once(block: events.LogEvent, data: st.DataObject) -> None:
    """The result does not depend on intermediate cuts."""
    middle = data.draw(st.integers(0, block.count - 1))
    last = data.draw(st.integers(middle, block.count - 1))
    twice = cut(cut(block, middle, block.count), last - middle, block.count - middle)
    assert meaning_of(cut(block, last, block.count)) == meaning_of(twice)


@given(blocks())
def test_an_unknown_column_is_omitted_from_rows(block: events.LogEvent) -> None:
    """A column of an unknown type does not affect the other columns."""
    strange = events.Column(path=("strange",), type=events.ColumnType.UNKNOWN)
    assert canonical(unpack_rows(block)) == canonical(unpack_rows(replace(block, columns=[*block.columns, strange])))
