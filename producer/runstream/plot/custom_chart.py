"""A chart as a value to log: a table, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.exceptions import Error
from runstream.media.base import ChartValue
from runstream.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The section of the page in which a table is shown that is split from its chart.
_SPLIT_SECTION = "Custom Chart Tables"


@dataclass
class CustomChartSpec:
    """How a table is drawn; the fields are those of :class:`CustomChart`."""

    spec_name: str
    fields: dict[str, Any]
    string_fields: dict[str, Any]
    split_table: bool = False


class CustomChart(ChartValue):
    """A chart of a table; :func:`plot_table` makes one.

    Args:
        id: The definition of the chart, such as ``wandb/line/v0``.
        data: The table.
        fields: The columns that the definition needs, by the names that it has for them.
        string_fields: The texts that the definition needs, such as ``title``.
        split_table: Whether the table is shown in a section of its own.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        data: Table,
        fields: Mapping[str, Any],
        string_fields: Mapping[str, Any] | None = None,
        split_table: bool | None = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.table = data
        self.spec = CustomChartSpec(id, dict(fields), dict(string_fields or {}), bool(split_table))

    def parts(self, key: str) -> tuple[str, Table, dict[str, Any]]:
        """Return the key of the table, the table, and the definition of the chart that is logged under a key."""
        table = f"{_SPLIT_SECTION}/{key}_table" if self.spec.split_table else f"{key}_table"
        fields, strings = _texts(self.spec.fields), _texts(self.spec.string_fields)
        return (
            table,
            self.table,
            {"definition": self.spec.spec_name, "fields": fields, "strings": strings, "table": table},
        )


class Visualize(ChartValue):
    """A table that is drawn by a definition; :func:`visualize` makes one."""

    def __init__(self, id: str, data: Table) -> None:  # noqa: A002 - the signature of W&B
        self.id, self.table = id, data

    def parts(self, key: str) -> tuple[str, Table, dict[str, Any]]:
        """Return the key, the table, and the definition of the chart that is logged under a key."""
        return key, self.table, {"definition": self.id, "fields": {}, "strings": {}, "table": key}


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: Mapping[str, Any],
    string_fields: Mapping[str, Any] | None = None,
    split_table: bool | None = False,  # noqa: FBT001, FBT002 - the signature of W&B
) -> CustomChart:
    """Return a chart of a table.

    Args:
        vega_spec_name: The definition, such as ``wandb/scatter/v0``. A page shows the table alone if it does not know
            the definition.
        data_table: The table.
        fields: The columns that the definition needs, by the names that it has for them.
        string_fields: The texts that the definition needs, such as ``title``.
        split_table: Whether the table is shown in a section of its own.

    Raises:
        Error: ``data_table`` is not a Table.
    """
    return CustomChart(vega_spec_name, _checked("data_table", data_table), fields, string_fields, split_table)


def visualize(id: str, value: Table) -> Visualize:  # noqa: A002 - the signature of W&B
    """Return a table that is drawn by a definition; raises Error if ``value`` is not a Table."""
    return Visualize(id, _checked("value", value))


def _checked(name: str, table: Any) -> Table:
    if not isinstance(table, Table):
        raise Error(f"Invalid {name}: expected a Table, not a value of type {type(table).__name__}")
    return table


def _texts(given: Mapping[str, Any]) -> dict[str, str | None]:
    return {str(name): None if value is None else str(value) for name, value in given.items()}
