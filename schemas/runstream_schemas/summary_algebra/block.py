"""Fold a block of rows into the states of its keys, all keys at once."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType, LogEvent
from runstream_schemas.summary_algebra.exact import SMALL, Exact, float_sums, int_sums, total_within
from runstream_schemas.summary_algebra.key_state import KeyState, Path, Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

Keys = MutableMapping[Path, KeyState]

_NUMBERS = (ColumnType.FLOAT64, ColumnType.INT64)


def fold_block(keys: Keys, event: LogEvent, offset: int) -> Seen | None:
    """Fold the rows of a block, found at a partition offset, into the states of their keys.

    Returns the tag, writer and time of the block's latest row; None for a block without rows.
    """
    if not event.count:
        return None
    block = _Block(event, offset)
    whole: dict[ColumnType, list[Column]] = {}
    for column in event.columns:
        if column.type in _NUMBERS and column.rows is None:
            whole.setdefault(column.type, []).append(column)
        elif column.type in _NUMBERS:
            _fold_numbers(keys, block, [column])
        else:
            _fold_others(keys, block, column)
    for columns in whole.values():
        _fold_numbers(keys, block, columns)
    _, last = block.ends(None)
    return block.seen(last, int(event.times[last]))


class _Block:
    """The rows of a block, sorted by step and then by order."""

    def __init__(self, event: LogEvent, offset: int) -> None:
        self._steps = event.steps
        self._orders = event.orders
        self._offset = offset
        self._writer = event.writer.id
        self._last = event.count - 1
        self._rank = None if _ascends(event) else _ranks(event)

    def ends(self, rows: NDArray[np.uint32] | None) -> tuple[int, int]:
        """Return the positions of the first and the last row within ``rows``; None means all rows."""
        if self._rank is None:
            return 0, self._last if rows is None else len(rows) - 1
        rank = self._rank if rows is None else self._rank[rows]
        return int(rank.argmin()), int(rank.argmax())

    def seen(self, row: int, value: Any) -> Seen:
        """Return a value of a row with the tag and the writer of the row."""
        return Seen((int(self._steps[row]), self._offset, int(self._orders[row])), self._writer, value)


def _ascends(event: LogEvent) -> bool:
    steps, orders = event.steps, event.orders
    if event.count <= SMALL:
        known, given = steps.tolist(), orders.tolist()
        return bool(sorted(known) == known and sorted({*given}) == given)
    return bool((steps[1:] >= steps[:-1]).all() and (orders[1:] > orders[:-1]).all())


def _ranks(event: LogEvent) -> NDArray[np.int64]:
    ranks = np.empty(event.count, dtype=np.int64)
    ranks[np.lexsort((event.orders, event.steps))] = np.arange(event.count)
    return ranks


def _fold_numbers(keys: Keys, block: _Block, columns: Sequence[Column]) -> None:
    """Fold columns of the same type and the same rows."""
    rows, values = columns[0].rows, columns[0].values
    if values is None or not len(values):
        return
    first, last = block.ends(rows)
    first_row, last_row = (first, last) if rows is None else (int(rows[first]), int(rows[last]))
    start, stop = block.seen(first_row, None), block.seen(last_row, None)
    if len(columns) * len(values) <= SMALL:
        _fold_few(keys, columns, (first, last), (start, stop))
        return
    matrix = np.array([column.values for column in columns])
    states = [_state_of(keys, column.path) for column in columns]
    is_finite = matrix.dtype == np.int64 or bool(np.isfinite(matrix).all())
    if not is_finite:
        # A NaN with another sign or payload would make the bytes of equal states differ.
        matrix[np.isnan(matrix)] = np.nan
    for state, opening, closing in zip(states, matrix[:, first].tolist(), matrix[:, last].tolist(), strict=True):
        state.see(Seen(start.tag, start.writer, opening), Seen(stop.tag, stop.writer, closing))
    if matrix.dtype == np.int64:
        _add_finite(states, matrix, int_sums(matrix))
    elif is_finite:
        _add_finite(states, matrix, float_sums(matrix))
    else:
        for state, numbers in zip(states, matrix, strict=True):
            _add_mixed(state, numbers)


def _fold_few(keys: Keys, columns: Sequence[Column], ends: tuple[int, int], seen: tuple[Seen, Seen]) -> None:
    """Fold what :func:`_fold_numbers` does, number by number: of few, that takes less time than numpy's calls."""
    (first, last), (start, stop) = ends, seen
    for column in columns:
        numbers: list[Any] = [] if column.values is None else column.values.tolist()
        state = _state_of(keys, column.path)
        if column.type is ColumnType.INT64:
            state.add_finite(len(numbers), min(numbers), max(numbers), (sum(numbers), 0))
        elif isfinite(sum(numbers)):
            low, high = min(numbers), max(numbers)
            # Adding zero turns -0.0 into 0.0; see _add_finite().
            state.add_finite(len(numbers), low + 0, high + 0, total_within(numbers, low, high))
        else:
            numbers = [nan if isnan(number) else number for number in numbers]
            _add_mixed(state, np.array(numbers))
        state.see(Seen(start.tag, start.writer, numbers[first]), Seen(stop.tag, stop.writer, numbers[last]))


def _add_finite(states: Iterable[KeyState], matrix: NDArray[Any], sums: Sequence[Exact]) -> None:
    count = matrix.shape[1]
    lows, highs = matrix.min(axis=1).tolist(), matrix.max(axis=1).tolist()
    for state, low, high, total in zip(states, lows, highs, sums, strict=True):
        # Adding zero turns -0.0 into 0.0; otherwise the order of values would decide which of the two is the minimum.
        state.add_finite(count, low + 0, high + 0, total)


def _add_mixed(state: KeyState, numbers: NDArray[np.float64]) -> None:
    finite = numbers[np.isfinite(numbers)]
    if len(finite):
        _add_finite([state], finite[None, :], float_sums(finite[None, :]))
    nan = int(np.isnan(numbers).sum())
    above = int(np.isposinf(numbers).sum())
    state.add_special(nan, above, len(numbers) - len(finite) - nan - above)


def _fold_others(keys: Keys, block: _Block, column: Column) -> None:
    """Fold a column of booleans or JSON values, which have a first and a last value but no statistics."""
    if column.type is ColumnType.BOOL and column.values is not None and len(column.values):
        found: Any = column.values
    elif column.type is ColumnType.JSON and column.texts:
        found = column.texts
    else:
        return
    first, last = block.ends(column.rows)
    rows = (first, last) if column.rows is None else (int(column.rows[first]), int(column.rows[last]))
    opening, closing = (block.seen(row, _value(found[place])) for row, place in zip(rows, (first, last), strict=True))
    _state_of(keys, column.path).see(opening, closing)


def _value(item: Any) -> Any:
    return values.load(item) if isinstance(item, str) else bool(item)


def _state_of(keys: Keys, path: Path) -> KeyState:
    state = keys.get(path)
    if state is None:
        state = keys[path] = KeyState()
    return state
