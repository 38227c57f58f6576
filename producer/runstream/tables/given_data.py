"""The data that a table is made of: lists of rows, arrays, and DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.tracking.values.foreign import shown

if TYPE_CHECKING:
    from collections.abc import Iterable


def rows_of(data: Any, dataframe: Any, columns: Any) -> tuple[list[str | int], Iterable[list[Any]]]:
    """Return the names of the columns and the rows, which are new lists.

    Raises AssertionError for other arguments, as W&B does, and TypeError for a row that is none.
    """
    if dataframe is not None or _is_frame(data):
        frame = data if dataframe is None else dataframe
        if not _is_frame(frame):
            raise AssertionError(f"Invalid dataframe: expected one of pandas or polars, not {type(frame).__name__}")
        return _valid(list(frame.columns)), _rows_of_frame(frame)
    names = _valid(columns)
    if data is None:
        return names, []
    if hasattr(data, "tolist") and hasattr(data, "ndim"):
        if data.ndim < 2:  # noqa: PLR2004 - rows and columns
            raise TypeError(f"Invalid data: expected an array of rows and columns, not of shape {data.shape}")
        return names, data.tolist() if data.ndim == 2 and data.dtype.kind != "M" else map(list, data)  # noqa: PLR2004
    if not isinstance(data, list):
        raise AssertionError(f"Invalid data: expected a list of rows, not {shown(data)}")  # noqa: TRY004 - W&B's class
    return names, map(_row, range(len(data)), data)


def _row(number: int, row: Any) -> list[Any]:
    if isinstance(row, str | bytes | dict) or not hasattr(row, "__iter__"):
        raise TypeError(f"Row {number}: expected a list of cells, not {shown(row)}")
    return list(row)


def _valid(columns: Any) -> list[str | int]:
    if type(columns) is not list:
        raise AssertionError(f"Invalid columns {shown(columns)}: expected a list")
    for name in columns:
        if type(name) not in {str, int}:
            raise AssertionError(f"Invalid column {shown(name)}: expected a text or an integer")
    return list(columns)


def _is_frame(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] in {"pandas", "polars"} and hasattr(data, "columns")


def _rows_of_frame(frame: Any) -> Iterable[list[Any]]:
    if hasattr(frame, "iter_rows"):  # polars
        return map(list, frame.iter_rows())
    return map(list, zip(*(_cells(frame.iloc[:, at]) for at in range(frame.shape[1])), strict=True))


def _cells(column: Any) -> Iterable[Any]:
    """Return the cells of a column of pandas: numbers and texts of Python, and times of numpy."""
    values: Any = column.to_numpy()
    found: Iterable[Any] = values.tolist() if values.dtype.kind in "biufU" else values
    return found
