"""Tables as values to log, and to keep in artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from runstream.artifacts.content import CLASSES, to_object
from runstream.exceptions import DataError, Error
from runstream.media.base import Media, WBValue
from runstream.media.content import MediaFile
from runstream.messages import termwarn
from runstream.tables import column_types
from runstream.tables.cells import decoder_of
from runstream.tables.column_types import AnyType, ColumnType, DictOf, Unknown
from runstream.tables.given_data import rows_of
from runstream.tables.keys import ForeignKey, PrimaryKey, TableIndex, TableKey
from runstream.tables.table_file import EXTENSION, FOLDER, TableContent
from runstream.tracking.values.foreign import shown
from runstream_schemas.stored.tables import increment_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runstream.media.base import MediaPlace

LogMode = Literal["IMMUTABLE", "MUTABLE", "INCREMENTAL"]
_LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")
_DEFAULT_COLUMNS = ("Input", "Output", "Expected")


class Table(Media):
    """Rows of columns: numbers, texts, times, lists, dicts, and media.

    Args:
        columns: Names of the columns. Default: Input, Output and Expected.
        data: The rows: a list of rows, a two-dimensional numpy array, or a DataFrame, whose columns are then used.
        rows: The same as ``data``. Deprecated.
        dataframe: A DataFrame of pandas or polars; its columns replace ``columns``.
        dtype: The type of all cells, or a list with one for each column. By default the first value decides.
        optional: Whether cells may be None; or a list with one for each column.
        allow_mixed_types: Accept cells of different types in a column.
        log_mode: What is written when the table is logged again: nothing (IMMUTABLE), all of it (MUTABLE), or the rows
            that were added since (INCREMENTAL).

    Raises:
        ValueError: A row has another number of cells than there are columns.
        TypeError: A cell has a type that its column does not accept.
        AssertionError: The columns are not a list of texts or numbers, or another argument is invalid.
    """

    #: Limits of W&B. Here they limit nothing: every row is recorded.
    MAX_ROWS = 10_000
    MAX_ARTIFACT_ROWS = 200_000

    _log_type: ClassVar[str] = "table"

    def __init__(  # noqa: PLR0917 - the signature of W&B
        self,
        columns: Sequence[str | int] | None = None,
        data: Any = None,
        rows: list[list[Any]] | None = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: bool | list[bool] = True,  # noqa: FBT001, FBT002
        allow_mixed_types: bool = False,  # noqa: FBT001, FBT002
        log_mode: LogMode = "IMMUTABLE",
    ) -> None:
        if log_mode not in _LOG_MODES:
            raise AssertionError(f"Invalid log_mode {shown(log_mode)}: expected {', '.join(_LOG_MODES)}")
        given = data if data is not None else rows
        names, found = rows_of(given, dataframe, list(_DEFAULT_COLUMNS) if columns is None else columns)
        self.columns: list[str | int] = names
        self.log_mode: LogMode = log_mode
        self.data: list[list[Any]] = []
        self._types: list[ColumnType] = []
        #: The classes of the cells of rows that are accepted without a check of each cell.
        self._accepted: set[tuple[type, ...]] = set()
        self._pk_col: str | int | None = None
        self._fk_cols: set[str | int] = set()
        #: The run that the table was logged to, what was recorded then, and the number of rows.
        self._logged: tuple[Any, dict[str, Any], int] | None = None
        self._recording = False
        self._set_types(column_types.AnyType() if allow_mixed_types else dtype, optional)
        for row in found:
            self._append(row)

    def add_data(self, *data: Any) -> None:
        """Add a row of one cell for each column; raises ValueError and TypeError as the constructor."""
        self._append([*data])
        self._warn_if_logged()

    def add_row(self, *row: Any) -> None:
        """Add a row. Deprecated: use :meth:`add_data`."""
        termwarn("Table.add_row() is deprecated; use add_data() instead", repeat=False)
        self.add_data(*row)

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:  # noqa: FBT001, FBT002
        """Add a column of a list or an array with one value for each row.

        Raises:
            AssertionError: The name is no text or is in use, or the data are no list or have another length.
            TypeError: The values have different types.
            Error: The log mode is INCREMENTAL.
        """
        self._refuse_if_incremental("add_column")
        _check(isinstance(name, str), f"Invalid column name {shown(name)}: expected a text")
        _check(name not in self.columns, f"The table has a column {name!r} already")
        is_array = hasattr(data, "tolist") and hasattr(data, "shape")
        _check(isinstance(data, list) or is_array, f"Invalid data of column {name!r}: expected a list or an array")
        if not self.columns:
            self.data = [[] for _ in data]
        _check(len(data) == len(self.data), f"Column {name!r} has {len(data)} values for {len(self.data)} rows")
        kind = self._type_with(Unknown(), data, name, optional=optional)
        for row, value in zip(self.data, data, strict=True):
            row.append(value)
        self.columns.append(name)
        self._types.append(kind)
        self._accepted.clear()
        self._warn_if_logged()

    def add_computed_columns(self, fn: Callable[[int, dict[str | int, Any]], dict[str, Any]]) -> None:
        """Add columns that a function computes of each row.

        Args:
            fn: Is called with the index of a row, and the row by column; returns the new cells by column.
        """
        self._refuse_if_incremental("add_computed_columns")
        found: dict[str, list[Any]] = {}
        for index, row in self.iterrows():
            new = fn(index, dict(zip(self.columns, row, strict=True)))
            _check(isinstance(new, dict), f"Invalid result for row {index}: expected a dict, not {shown(new)}")
            for name, value in new.items():
                found.setdefault(name, []).append(value)
        for name, values in found.items():
            self.add_column(name, values)

    def get_column(self, name: str | int, convert_to: Literal["numpy"] | None = None) -> Any:
        """Return the cells of a column as a list, or as an array with ``convert_to="numpy"``."""
        _check(name in self.columns, f"The table has no column {shown(name)}")
        _check(convert_to in {None, "numpy"}, f"Invalid convert_to={shown(convert_to)}: expected None or 'numpy'")
        at = self.columns.index(name)
        cells = [row[at] for row in self.data]
        if convert_to is None:
            return cells
        import numpy as np  # noqa: PLC0415 - not needed for anything else

        return np.array([cell.to_data_array() if hasattr(cell, "to_data_array") else cell for cell in cells])

    def get_index(self) -> list[TableIndex]:
        """Return the indices of the rows, by which other tables refer to them."""
        return [TableIndex.of(self, index) for index in range(len(self.data))]

    def index_ref(self, index: int) -> TableIndex:
        """Return the index of a row, by which another table refers to it; raises AssertionError if there is no row."""
        _check(index < len(self.data), f"The table has no row {index}: it has {len(self.data)}")
        return TableIndex.of(self, index)

    def get_dataframe(self) -> Any:
        """Return the table as a DataFrame of pandas; raises Error without pandas."""
        try:
            import pandas as pd  # noqa: PLC0415 - an optional dependency
        except ImportError as error:
            raise Error("get_dataframe() needs pandas: pip install pandas") from error
        return pd.DataFrame.from_records(self.data, columns=self.columns)

    def iterrows(self) -> Iterator[tuple[TableIndex, list[Any]]]:
        """Yield the index and the cells of each row."""
        for index, row in enumerate(self.data):
            yield TableIndex.of(self, index), row

    def cast(self, col_name: str | int, dtype: Any, optional: bool = False) -> ColumnType:  # noqa: FBT001, FBT002
        """Set the type of a column; raises TypeError if one of its cells has another type."""
        _check(col_name in self.columns, f"The table has no column {shown(col_name)}")
        kind = column_types.from_dtype(dtype)
        is_key = isinstance(kind, PrimaryKey | ForeignKey)
        _check(not (is_key and optional), "A column of keys cannot be optional")
        _check(not (is_key and getattr(kind, "table", None) is self), "A table cannot refer to itself")
        at = self.columns.index(col_name)
        kind = self._type_with(kind, [row[at] for row in self.data], col_name, optional=optional)
        if isinstance(kind, PrimaryKey):
            _check(self._pk_col in {None, col_name}, f"The table has the primary key {self._pk_col!r} already")
            self._pk_col = col_name
        if isinstance(kind, ForeignKey):
            self._fk_cols.add(col_name)
        self._types[at] = kind
        self._accepted.clear()
        return kind

    def set_pk(self, col_name: str | int) -> None:
        """Make a column of texts the primary key: other tables refer to rows by it."""
        _check(col_name in self.columns, f"The table has no column {shown(col_name)}")
        self.cast(col_name, PrimaryKey())
        self._key_cells(col_name, lambda cell: TableKey.of(self, col_name, cell))

    def set_fk(self, col_name: str | int, table: Table, table_col: str | int) -> None:
        """Make a column refer to the primary key, or another column, of another table."""
        _check(col_name != self._pk_col, f"{col_name!r} is the primary key")
        _check(table_col in table.columns, f"The other table has no column {shown(table_col)}")
        self.cast(col_name, ForeignKey(table, table_col))
        self._key_cells(col_name, lambda cell: TableKey.of(table, table_col, cell))

    @property
    def column_types(self) -> dict[str | int, ColumnType]:
        """The types of the columns, by name."""
        return dict(zip(self.columns, self._types, strict=True))

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for the table as it is now; its file is added to a place.

        Raises DataError for a cell that cannot be recorded, and OSError.
        """
        if self._recording:
            raise DataError("Cannot record a table that contains itself")
        owner, recorded, count = self._logged or (None, {}, 0)
        is_logged = not place.in_artifact and owner is not None and owner is place.owner
        unchanged = self.log_mode == "IMMUTABLE" or (self.log_mode == "INCREMENTAL" and count == len(self.data))
        if is_logged and unchanged:
            return recorded
        first, name, facts = 0, "", {}
        if self.log_mode == "INCREMENTAL" and not place.in_artifact:
            number = recorded["increment_num"] + 1 if is_logged else 0
            first = count if is_logged else 0
            name = increment_path(recorded["path"], number) if is_logged else ""
            facts = {"log_mode": self.log_mode, "increment_num": number}
        extension = f"0.{EXTENSION}" if facts else EXTENSION
        content = self._content(place, self.data[first:] if first else self.data)
        file = MediaFile(folder=FOLDER, extension=extension, content=content, versioned=not facts)
        self._recording = True
        try:
            path = place.add(file, name)
        finally:
            self._recording = False
        kind = "incremental-table-file" if facts else "table-file"
        size = {"ncols": len(self.columns), "nrows": len(self.data)}
        recorded = {"_type": kind, "path": path, **size, **facts}
        if not place.in_artifact:
            logged = (place.owner, recorded, len(self.data))
            place.when_kept(lambda: setattr(self, "_logged", logged))
        return recorded

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the table of a file; media in its cells are read from an artifact.

        Raises KeyError, TypeError or ValueError if the file is not that of a table.
        """
        columns, rows = description["columns"], description["data"]
        types = description.get("column_types", {}).get("params", {}).get("type_map", {})
        kinds = [column_types.from_json(types[str(name)]) if str(name) in types else AnyType() for name in columns]

        def media(value: dict[str, Any]) -> Any:
            return to_object(value["_type"], value, artifact) if value["_type"] in CLASSES else value

        table = cls(columns=columns, log_mode=description.get("log_mode", "IMMUTABLE"))
        if odd := next((number for number, row in enumerate(rows) if len(row) != len(columns)), None):
            raise ValueError(f"Row {odd} has {len(rows[odd])} cells for {len(columns)} columns")
        for at, kind in enumerate(kinds):  # in place, since there may be many rows
            if (decode := decoder_of(kind, media)) is not None:
                for row in rows:
                    row[at] = decode(row[at])
        table.data, table._types = rows, kinds
        return table

    def _content(self, place: MediaPlace, rows: Sequence[Sequence[Any]]) -> TableContent:
        kinds = DictOf({str(name): kind for name, kind in self.column_types.items()}).as_json()
        if not place.in_artifact:
            return TableContent({"column_types": kinds, "columns": self.columns, **self._facts()}, rows, place, {})
        before = {"_type": self._log_type, "column_types": kinds, "columns": self.columns, **self._facts()}
        after = {"log_mode": self.log_mode, "ncols": len(self.columns), "nrows": len(rows)}
        return TableContent(before, rows, place, after)

    def _facts(self) -> dict[str, Any]:
        """Return what the file holds besides columns and rows."""
        return {}

    def _set_types(self, dtype: Any, optional: Any) -> None:
        count = len(self.columns)
        kinds = dtype if type(dtype) is list else [Unknown() if dtype is None else dtype] * count
        flags = optional if type(optional) is list else [bool(optional)] * count
        for name, values in (("dtype", kinds), ("optional", flags)):
            _check(len(values) == count, f"{name} has {len(values)} elements for {count} columns")
        found = map(column_types.from_dtype, kinds)
        self._types = [column_types.optional(kind) if flag else kind for kind, flag in zip(found, flags, strict=True)]

    def _append(self, row: list[Any]) -> None:
        """Add a row after its types are checked."""
        kinds = tuple(map(type, row))
        if kinds not in self._accepted:
            self._check_row(row, kinds)
        self.data.append(row)

    def _check_row(self, row: Sequence[Any], kinds: tuple[type, ...]) -> None:
        """Take up the types of a row; raises ValueError for another length, and TypeError for a type."""
        if len(row) != len(self.columns):
            raise ValueError(
                f"Row {len(self.data)}: this table expects {len(self.columns)} columns "
                f"({_named(self.columns)}), found {len(row)}"
            )
        if any(isinstance(cell, TableIndex | TableKey) for cell in row):
            for name, kind, cell in zip(self.columns, self._types, row, strict=True):
                if isinstance(cell, TableIndex | TableKey) and kind.with_value(cell) != kind and not self.data:
                    self.cast(name, cell.column_type())
        found = []
        for name, kind, cell in zip(self.columns, self._types, row, strict=True):
            taken = kind.with_value(cell)
            if taken is None:
                raise TypeError(_mismatch(len(self.data), name, kind, cell))
            found.append(taken)
        self._types = found
        if all(map(column_types.accepts_class, found, kinds)):
            self._accepted.add(kinds)

    def _type_with(self, kind: ColumnType, values: Any, name: str | int, *, optional: bool) -> ColumnType:
        """Return a type that has taken up values; raises TypeError."""
        kind = column_types.optional(kind) if optional else kind
        accepted: set[type] = set()
        for number, value in enumerate(values):
            if type(value) in accepted:
                continue
            if (taken := kind.with_value(value)) is None:
                raise TypeError(_mismatch(number, name, kind, value))
            kind = taken
            if column_types.accepts_class(kind, type(value)):
                accepted.add(type(value))
        return kind

    def _key_cells(self, name: str | int, key: Callable[[Any], TableKey]) -> None:
        at = self.columns.index(name)
        for row in self.data:
            row[at] = key(row[at])

    def _warn_if_logged(self) -> None:
        if self._logged is not None and self.log_mode == "IMMUTABLE":
            termwarn(
                "You are mutating a Table with log_mode='IMMUTABLE' that has been logged already: later log() calls "
                "record it as it was. Set log_mode='MUTABLE' to record it again",
                repeat=False,
            )

    def _refuse_if_incremental(self, method: str) -> None:
        if self.log_mode == "INCREMENTAL":
            raise Error(f"{method}() is not supported for tables with log_mode='INCREMENTAL'")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self.columns == other.columns and self._types == other._types and _equal(self.data, other.data)

    __hash__ = WBValue.__hash__


def _check(condition: bool, problem: str) -> None:  # noqa: FBT001
    """Raise AssertionError, the class of W&B, also under ``python -O``."""
    if not condition:
        raise AssertionError(problem)


def _mismatch(number: int, name: str | int, kind: ColumnType, cell: Any) -> str:
    return f"Row {number}: column {shown(name)} holds {kind}, not {column_types.type_of(cell)} ({shown(cell)})"


def _named(columns: Sequence[Any]) -> str:
    most = 10
    return ", ".join(map(shown, columns[:most])) + (", …" if len(columns) > most else "")


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    same = one == other
    return bool(same.all()) if hasattr(same, "all") else bool(same)
