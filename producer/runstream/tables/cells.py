"""The cells of a table as JSON, and the values that are read from it."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import DataError
from runstream.media.base import WBValue
from runstream.tables.column_types import BOOLEAN, NONE, NUMBER, STRING, TIMESTAMP, ColumnType, Union
from runstream.tracking.values.encoder import DEFAULT_ENCODER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runstream.media.base import MediaPlace

#: Rows that are encoded at once: as memory, some hundred kilobytes.
_ROWS = 1000
#: Classes of the values that are JSON as they are.
_PLAIN = frozenset({str, int, float, bool, type(None)})
#: Encodes what is JSON as it is ten times as fast, but NaN and infinities as null.
_encode = msgspec.json.Encoder().encode
#: Types of cells that are read as they are in the file.
_AS_JSON = (NONE, NUMBER, STRING, BOOLEAN)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class CellEncoder:
    """Encodes the cells of a table; media in them keep their files in a place.

    Times are texts in a file of a run, as in rows, and milliseconds since 1970 in an artifact, as in W&B. With
    ``spaces``, commas and colons are followed by one.
    """

    def __init__(self, place: MediaPlace, *, spaces: bool = False) -> None:
        self._place = place
        self._spaces = spaces
        self._dumps = json.JSONEncoder(sort_keys=True, separators=None if spaces else (",", ":")).encode
        self.comma, self.colon = (b", ", b": ") if spaces else (b",", b":")

    def rows(self, rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
        """Yield the JSON texts of rows, which together, with a comma between them, are the elements of a list.

        Raises DataError for a cell that cannot be recorded, and OSError if a file of media cannot be kept.
        """
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            kinds: set[type] = set().union(*(map(type, row) for row in some))
            cells = some if kinds <= _PLAIN else [self._row(row, number) for number, row in enumerate(some, start)]
            yield self._encoded(cells)[1:-1]

    def _row(self, row: Sequence[Any], number: int) -> list[Any]:
        found = []
        for value in row:
            try:
                found.append(self.cell(value))
            except DataError as error:
                raise DataError(f"Row {number} of the table, column {len(found)}: {error}") from None
        return found

    def header(self, fields: dict[str, Any]) -> bytes:
        """Return the JSON text of other fields of the file, without braces."""
        return self._dumps(fields)[1:-1].encode()

    def _encoded(self, rows: Sequence[Sequence[Any]]) -> bytes:
        if not self._spaces:
            try:
                text = _encode(rows)
            except (TypeError, ValueError, OverflowError):  # an integer of more than 64 bits, or a lone surrogate
                return self._dumps(rows).encode()
            if b"null" not in text or all(_is_finite(value) for row in rows for value in row):
                return text
        return self._dumps(rows).encode()

    def cell(self, value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
        """Return a cell as JSON; raises as :meth:`rows`."""
        if type(value) in _PLAIN:
            return value
        if isinstance(value, WBValue):
            return value.record(self._place)
        if isinstance(value, dict):
            return {str(key): self.cell(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.cell(item) for item in value]
        if isinstance(value, dt.date):
            return None if value != value else self._time(value)  # noqa: PLR0124 - NaT of pandas
        if hasattr(value, "tolist"):
            return self._array(value)
        if isinstance(value, int | str | float):  # a subclass
            return value if isinstance(value, float) else int(value) if isinstance(value, int) else str.__str__(value)
        return None if type(value).__name__ == "NAType" else DEFAULT_ENCODER.value(value)

    def _array(self, value: Any) -> Any:
        """Return an array, or a number of numpy or the like, as a list or a cell."""
        dtype = getattr(value, "dtype", None)
        if getattr(dtype, "kind", "") != "M":
            return self.cell(value.tolist())
        if not self._place.in_artifact:
            texts = value.astype(str).tolist()
            return _without_nat(texts)
        milliseconds = value.astype("datetime64[ms]")
        return _without_nat(milliseconds.astype(str).tolist(), milliseconds.astype("int64").tolist())

    def _time(self, value: dt.date) -> Any:
        if not self._place.in_artifact:
            return DEFAULT_ENCODER.value(value)
        if not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as W&B, in UTC below
        value = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return (value - _EPOCH) // dt.timedelta(milliseconds=1)


def _is_finite(value: Any) -> bool:
    """Return whether there is no NaN and no infinity in a cell."""
    if isinstance(value, float):
        return math.isfinite(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_finite, inner))


def _without_nat(texts: Any, values: Any = None) -> Any:
    """Return texts, or the values that belong to them, with None in place of NaT."""
    values = texts if values is None else values
    if isinstance(texts, list):
        return [_without_nat(text, value) for text, value in zip(texts, values, strict=True)]
    return None if texts == "NaT" else values


def decoder_of(column: ColumnType, media: Callable[[dict[str, Any]], Any]) -> Callable[[Any], Any] | None:
    """Return what makes cells of a column of the JSON in a file; ``media`` makes media of their dicts.

    None if the cells are JSON as they are.
    """
    kinds = column.types if isinstance(column, Union) else (column,)
    if all(kind in _AS_JSON for kind in kinds):
        return None
    is_time = TIMESTAMP in kinds

    def decoded(value: Any) -> Any:
        if is_time and isinstance(value, int | float | str):
            return _time_of(value)
        return media(value) if isinstance(value, dict) and "_type" in value else value

    return decoded


def _time_of(value: float | str) -> Any:
    if not isinstance(value, str):
        return _EPOCH + dt.timedelta(milliseconds=value)
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:  # beyond what datetime can hold, such as nanoseconds
        return value
