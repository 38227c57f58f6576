"""Charts of the columns of a table, and of several lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from runstream.plot.custom_chart import CustomChart, plot_table
from runstream.tables.table import Table


def line(  # noqa: PLR0917 - the signature of W&B
    table: Table,
    x: str,
    y: str,
    stroke: str | None = None,
    title: str = "",
    split_table: bool = False,  # noqa: FBT001, FBT002 - the signature of W&B
) -> CustomChart:
    """Return a line chart of two columns; ``stroke`` is a column whose values distinguish several lines."""
    fields = {"x": x, "y": y, "stroke": stroke}
    return plot_table("wandb/line/v0", table, fields, {"title": title}, split_table)


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> CustomChart:  # noqa: FBT001, FBT002
    """Return a scatter plot of two columns."""
    return plot_table("wandb/scatter/v0", table, {"x": x, "y": y}, {"title": title}, split_table)


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> CustomChart:  # noqa: FBT001, FBT002
    """Return a bar chart: a bar for each value of a column, which another column labels."""
    return plot_table("wandb/bar/v0", table, {"label": label, "value": value}, {"title": title}, split_table)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> CustomChart:  # noqa: FBT001, FBT002
    """Return a histogram of a column."""
    return plot_table("wandb/histogram/v0", table, {"value": value}, {"title": title}, split_table)


def line_series(  # noqa: PLR0917 - the signature of W&B
    xs: Any,
    ys: Any,
    keys: Sequence[str] | None = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,  # noqa: FBT001, FBT002
) -> CustomChart:
    """Return a chart of several lines.

    Args:
        xs: The x values of all lines, or a sequence with those of each line.
        ys: A sequence with the y values of each line.
        keys: A label for each line.
        title: Title of the chart.
        xname: Label of the x axis.
        split_table: Whether the table is shown in a section of its own.

    Raises:
        TypeError: ``xs`` or ``ys`` is no sequence, or ``ys`` is none of sequences.
        ValueError: There are as many x values, or keys, as there are not lines.
    """
    lines = [_sequence(f"ys[{at}]", y) for at, y in enumerate(_sequence("ys", ys))]
    given = _sequence("xs", xs)
    shared = not given or not isinstance(given[0], Iterable) or isinstance(given[0], str | bytes)
    positions = [given] * len(lines) if shared else [_sequence(f"xs[{at}]", x) for at, x in enumerate(given)]
    names = [f"line_{at}" for at in range(len(lines))] if keys is None else [*keys]
    if len(positions) != len(lines):
        raise ValueError(f"xs has {len(positions)} lines, and ys has {len(lines)}: expected as many")
    if len(names) != len(lines):
        raise ValueError(f"{len(names)} keys for {len(lines)} lines: expected as many")
    rows = [
        list(row)
        for name, x, y in zip(names, positions, lines, strict=True)
        for row in zip(x, repeat(name), y, strict=False)
    ]
    table = Table(columns=["step", "lineKey", "lineVal"], data=rows)
    fields = {name: name for name in ("step", "lineKey", "lineVal")}
    return plot_table("wandb/lineseries/v0", table, fields, {"title": title, "xname": xname}, split_table)


def _sequence(name: str, value: Any) -> list[Any]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise TypeError(f"Invalid {name}: expected a sequence, not a value of type {type(value).__name__}")
    return list(value.tolist() if hasattr(value, "tolist") else value)
