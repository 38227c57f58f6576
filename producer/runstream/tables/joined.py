"""Tables that refer to other tables: two that are joined by a key, and one in several parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from runstream.media.base import WBValue
from runstream.tables.table import Table
from runstream.tracking.values.foreign import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream.media.base import MediaPlace

_KEYS = 2


class JoinedTable(WBValue):
    """Two tables, shown as one: their rows with the same keys are joined.

    Args:
        table1: A table, or the path of one in the artifact.
        table2: The other one.
        join_key: The column with the keys, or a list with that of each table.

    Raises:
        ValueError: An argument is of another type.
    """

    _log_type: ClassVar[str] = "joined-table"

    def __init__(self, table1: Table | str, table2: Table | str, join_key: str | list[str]) -> None:
        keys = join_key if isinstance(join_key, list) else [join_key] * _KEYS
        if len(keys) != _KEYS or not all(isinstance(key, str) for key in keys):
            raise ValueError(f"Invalid join_key {shown(join_key)}: expected a column, or a list of two")
        for name, table in (("table1", table1), ("table2", table2)):
            is_path = isinstance(table, str) and table.endswith(".table.json")
            if not is_path and not isinstance(table, Table):
                raise ValueError(f"Invalid {name}: expected a Table or its path NAME.table.json, not {shown(table)}")
        self.table1, self.table2, self.join_key = table1, table2, join_key

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the joined tables of a description, read from an artifact."""
        one, other = (artifact.get(description[name]) or description[name] for name in ("table1", "table2"))
        return cls(one, other, description["join_key"])

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded; the tables are added to a place."""
        paths = [
            table if isinstance(table, str) else table.record(place)["path"] for table in (self.table1, self.table2)
        ]
        return {"_type": self._log_type, "table1": paths[0], "table2": paths[1], "join_key": self.join_key}


class PartitionedTable(WBValue):
    """A table whose rows are in several tables of an artifact, below a folder.

    Args:
        parts_path: The folder in the artifact.
    """

    _log_type: ClassVar[str] = "partitioned-table"

    def __init__(self, parts_path: str) -> None:
        self.parts_path = parts_path
        self._parts: dict[str, Table] = {}

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the table of a description, with its parts read from an artifact."""
        table = cls(description["parts_path"])
        folder = table.parts_path.rstrip("/") + "/"
        names = [path for path in artifact.manifest.entries if path.startswith(folder) and path.endswith(".table.json")]
        table._parts = {name: artifact.get(name) for name in names}
        return table

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - its parts are added on their own
        """Return the dict that is recorded."""
        return {"_type": self._log_type, "parts_path": self.parts_path}

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the number and the cells of each row, in order of the names of the parts.

        Raises ValueError if the table was not read from an artifact, and for parts with different columns.
        """
        if not self._parts:
            raise ValueError(f"No parts of {self.parts_path!r}: read the table from its artifact")
        columns: list[Any] | None = None
        number = 0
        for path, part in sorted(self._parts.items()):
            columns = part.columns if columns is None else columns
            if part.columns != columns:
                raise ValueError(f"{path!r} has the columns {part.columns}, the parts before it {columns}")
            for _, row in part.iterrows():
                yield number, row
                number += 1
