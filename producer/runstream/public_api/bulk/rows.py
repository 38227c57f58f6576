"""Rows as dicts, made of columns at once where the values need no work one by one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runstream.public_api.frames import pick
from runstream_schemas.events import Column
from runstream_schemas.rows import column_values, rows_with_values, unpack_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runstream.public_api.bulk.batches import RowBatch

_HIDDEN = "_hidden"


def nested_rows(batch: RowBatch) -> list[dict[str, Any]]:
    """Return rows as they were logged, with what the server adds to each."""
    found = _lists(batch)
    hidden = found.pop(_HIDDEN, None)
    rows = unpack_columns(batch.columns, batch.count, others=found)
    for row, is_hidden in zip(rows, hidden or (), strict=hidden is not None):
        if is_hidden:
            row[_HIDDEN] = True
    return rows


def rows_with_all(batch: RowBatch, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield of the rows that have all of some keys, which may be dotted paths, their values and ``_step``."""
    wanted = list(dict.fromkeys(["_step", *keys]))
    plain = _plain_columns(batch, wanted)
    if plain is not None:
        yield from _zipped(batch, wanted, plain)
        return
    for row in nested_rows(batch):
        picked = pick(row, wanted)
        if all(key in picked for key in keys):
            yield picked


def _zipped(batch: RowBatch, wanted: Sequence[str], plain: dict[str, list[Column]]) -> Iterator[dict[str, Any]]:
    complete: Any = np.ones(batch.count, dtype=np.bool_)
    for key in wanted:
        if key not in batch.fields:
            complete &= rows_with_values(plain.get(key, ()), batch.count)
    if not complete.all():
        yield from rows_with_all(batch.take(np.flatnonzero(complete)), wanted)
        return
    lists = [_values(batch, key, plain.get(key, ())) for key in wanted]
    match wanted, lists:
        case [first], [firsts]:
            yield from [{first: one} for one in firsts]
        case [first, second], [firsts, seconds]:
            yield from [{first: one, second: other} for one, other in zip(firsts, seconds, strict=True)]
        case _:
            yield from [dict(zip(wanted, items, strict=True)) for items in zip(*lists, strict=True)]


def _plain_columns(batch: RowBatch, wanted: Sequence[str]) -> dict[str, list[Column]] | None:
    """Return the columns of each key; None if rows have to be assembled to find their values.

    That is the case if a key selects a dict, or if two paths have one key.
    """
    found: dict[str, list[Column]] = {}
    for column in batch.columns:
        key = ".".join(column.path)
        of_key = found.setdefault(key, [column])
        is_known = key in wanted and key not in batch.fields and column.path == of_key[0].path
        if not is_known or not _is_plain(column):
            return None
        if column is not of_key[0]:
            of_key.append(column)
    is_dict = any(key.startswith(f"{one}.") for one in wanted for key in found)
    return None if is_dict or _HIDDEN in wanted else found


def _is_plain(column: Column) -> bool:
    # Dicts of media are not flattened; those that are values are.
    return "_type" not in column.path and not any(text.lstrip().startswith("{") for text in column.texts)


def _values(batch: RowBatch, key: str, columns: Sequence[Column]) -> list[Any]:
    """Return the values of a key, which every row has."""
    if key in batch.fields:
        return batch.fields[key].tolist()
    if len(columns) == 1:
        return column_values(columns[0], batch.count)
    items: list[Any] = [None] * batch.count
    for column in columns:
        index = range(batch.count) if column.rows is None else column.rows.tolist()
        for row, value in zip(index, column_values(column, batch.count), strict=True):
            items[row] = value
    return items


def _lists(batch: RowBatch) -> dict[str, list[Any]]:
    return {name: field.tolist() for name, field in batch.fields.items()}
