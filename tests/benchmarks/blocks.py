"""Blocks and messages of the measured shapes: 10 x 10 and 200 x 20 (rows x keys)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import events
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.topics import RunPath

SHAPES = {"10 x 10": (10, 10), "200 x 20": (200, 20)}
NOON = 1_795_262_400_000_000


def row(number: int, keys: int) -> dict[str, float]:
    """Return a row of floats that do not compress well."""
    return {f"train/metric_{key}": (number * 7919 + key) / 1013 for key in range(keys)}


def rows(first: int, count: int, keys: int) -> list[dict[str, float]]:
    """Return rows, starting at a number."""
    return [row(number, keys) for number in range(first, first + count)]


def block(run: RunPath, writer: bytes, seq: int, content: list[dict[str, float]]) -> events.LogEvent:
    """Return rows as a block like that of a shipper."""
    numbers = np.arange(seq, seq + len(content), dtype=np.int64)
    return events.LogEvent(
        header=_header(run, writer, seq=seq, count=len(content)),
        stream=events.Stream.HISTORY,
        orders=numbers + 1,
        steps=numbers,
        times=NOON + numbers * 1000,
        columns=pack_rows(content),
    )


def config(run: RunPath, writer: bytes, values: Mapping[str, str]) -> events.ChangeEvent:
    """Return the config of a run as its first event; the values are JSON texts."""
    entries = [
        events.Entry(op=events.Operation.SET, path=(name,), value=value, scope=events.Scope.CONFIG)
        for name, value in values.items()
    ]
    record = events.Record(order=0, time=NOON, entries=tuple(entries))
    return events.ChangeEvent(header=_header(run, writer), topic=Topic.CONFIG, records=(record,))


def ended(run: RunPath, writer: bytes) -> events.ExitEvent:
    """Return the exit of a writer."""
    ending = events.Ending(state=events.ExitState.FINISHED, exit_code=0)
    return events.ExitEvent(header=_header(run, writer), ending=ending)


def _header(run: RunPath, writer: bytes, **fields: Any) -> events.Header:
    primary = events.Writer(id=writer, role=events.Role.PRIMARY)
    return events.Header(kind=events.Kind.DATA, run=run, writer=primary, time=NOON, **fields)
