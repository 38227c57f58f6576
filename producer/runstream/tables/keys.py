"""References between tables: keys of rows, and their indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from runstream.tables.column_types import STRING, ColumnType, type_of


@dataclass(frozen=True, slots=True)
class PrimaryKey(ColumnType):
    """The texts by which other tables refer to rows."""

    name: ClassVar[str] = "primaryKey"

    def with_value(self, value: Any) -> ColumnType | None:
        """Return this type if the value is a text."""
        return self if isinstance(value, TableKey) or type_of(value) == STRING else None


@dataclass(frozen=True, slots=True, eq=False)
class ForeignKey(ColumnType):
    """The values of a column of another table."""

    name: ClassVar[str] = "foreignKey"
    table: Any
    column: str | int

    def with_value(self, value: Any) -> ColumnType | None:
        """Return this type if the value is a text, or a key of that table."""
        is_key = isinstance(value, TableKey) and value.table is self.table
        return self if is_key or type_of(value) == STRING else None

    def parameters(self) -> dict[str, Any]:
        """Return the name of the column."""
        return {"col_name": self.column}


@dataclass(frozen=True, slots=True, eq=False)
class ForeignIndex(ColumnType):
    """The indices of rows of another table."""

    name: ClassVar[str] = "foreignIndex"
    table: Any

    def with_value(self, value: Any) -> ColumnType | None:
        """Return this type if the value is an index of that table."""
        return self if isinstance(value, TableIndex) and value.table is self.table else None


class TableKey(str):  # noqa: SLOT000 - it has attributes
    """A cell that refers to a row of a table by a column of it."""

    table: Any
    column: str | int

    @classmethod
    def of(cls, table: Any, column: str | int, text: str) -> Self:
        """Return the key with a text."""
        key = cls(text)
        key.table, key.column = table, column
        return key

    def column_type(self) -> ColumnType:
        """Return the type of the column with this key."""
        return ForeignKey(self.table, self.column)


class TableIndex(int):
    """The index of a row of a table; a cell of another table that refers to it."""

    table: Any

    @classmethod
    def of(cls, table: Any, index: int) -> Self:
        """Return the index of a row."""
        found = cls(index)
        found.table = table
        return found

    def get_row(self) -> dict[str | int, Any]:
        """Return the row by column."""
        return dict(zip(self.table.columns, self.table.data[self], strict=True))

    def column_type(self) -> ColumnType:
        """Return the type of the column with this index."""
        return ForeignIndex(self.table)
