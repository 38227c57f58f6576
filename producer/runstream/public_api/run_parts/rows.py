"""The methods of a run of the public API that read its rows, its console and its alerts, always from the server."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from runstream.exceptions import UsageError
from runstream.public_api.bulk.batches import RowBatch
from runstream.public_api.bulk.reading import ROWS_OF_TABLE_PAGE, read_once, read_pages
from runstream.public_api.bulk.rows import nested_rows, rows_with_all
from runstream.public_api.bulk.tables import library_of, table_of
from runstream.public_api.frames import FIELDS, META, pick, table
from runstream.public_api.run_parts.document import RunDocument

#: Rows of which dicts are made at once: as many are in memory.
_ROWS_AT_ONCE = 16_384
_STREAMS = {"default": "history", "history": "history", "system": "system"}


class RunRows(RunDocument):
    """Reads what a run has logged."""

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,  # noqa: FBT001, FBT002  # W&B's signature
        stream: Literal["default", "system"] = "default",
        *,
        late: Literal["include", "exclude"] = "include",
    ) -> Any:
        """Return the history: all rows if there are at most ``samples``, or else rows that include the extremes.

        Args:
            samples: Maximum number of rows; a longer history is sampled to exactly so many.
            keys: Only these metrics and ``x_axis``. Rows without any of them are left out.
            x_axis: A metric to return with ``keys``.
            pandas: Return a DataFrame with flat columns (``a.b``), or a list of dicts if False or without pandas.
            stream: ``"default"`` for metrics, ``"system"`` for system metrics.
            late: ``"exclude"`` leaves out late rows: those below their writer's greatest step, and those at a step
                that another row has.

        Raises:
            UsageError: ``late`` has another value.
        """
        extra = [] if x_axis in META else [x_axis]
        asked = None if keys is None else [*keys, *extra]
        which = {"stream": _STREAMS[stream], "late": _checked_late(late)}
        found = read_once(self._connection, f"{self._address}/history", samples=samples, keys=asked, **which)
        rows = [row for batch in found.batches for row in nested_rows(batch)]
        columns = None
        if keys is not None:
            columns = [x_axis, *(key for key in keys if key != x_axis)]
            picked = (pick(row, columns) for row in rows)
            rows = [row for row in picked if row.keys() - {x_axis}]
            columns = None if any(isinstance(value, dict) for row in rows for value in row.values()) else columns
        return table(rows, columns) if pandas else rows

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: FBT001, FBT002  # W&B's signature
        *,
        late: Literal["include", "exclude"] = "include",
        hidden: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Return an iterator over all rows in the order of their steps, without sampling, read page by page.

        Args:
            keys: Only rows that have all of these metrics, and only their values and ``_step``.
            page_size: Number of rows of the first page; the following ones are larger.
            min_step: The first step, inclusive.
            max_step: The last step, exclusive.
            use_cache: Accepted as in W&B; rows are always read from the server.
            late: As for :meth:`history`.
            hidden: Include rows that were replaced when the run was rewound or resumed at an earlier step; they have
                ``_hidden``.

        Raises:
            UsageError: ``late`` has another value.
        """
        del use_cache
        steps = {"min_step": min_step, "max_step": max_step}
        which = {"late": _checked_late(late), "hidden": hidden or None}
        return self._scan(keys, page_size=page_size, **steps, **which)

    def read_history(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        format: Literal["pandas", "polars", "arrow"] = "pandas",  # noqa: A002 - as in Runs.histories
        late: Literal["include", "exclude"] = "include",
        hidden: bool = False,
        page_size: int = 16_384,
    ) -> Any:
        """Return all rows in the order of their steps as one table, without sampling.

        The columns are ``_step``, ``_timestamp``, ``_runtime``, ``_writer`` and ``_late``, or ``_step`` with ``keys``,
        and one for each key; nested keys are joined by ``.``. Values that a row does not have are null, in pandas NaN.
        Integers and floats under one key are floats; lists, and values of other different types, are Python objects in
        pandas and JSON texts in the other formats.

        Args:
            keys: Only rows that have all of these metrics, and only their values and ``_step``.
            min_step: The first step, inclusive.
            max_step: The last step, exclusive.
            format: A pandas or polars DataFrame, or an Arrow table.
            late: As for :meth:`history`.
            hidden: As for :meth:`scan_history`; ``_hidden`` is then a column.
            page_size: As for :meth:`scan_history`.

        Raises:
            UsageError: ``late`` or ``format`` has another value.
            ImportError: The library of the format is not installed.
        """
        library_of(format)
        asked = {"min_step": min_step, "max_step": max_step, "late": _checked_late(late), "hidden": hidden or None}
        # Of pandas, it is an optional dependency.
        reading = {"largest": ROWS_OF_TABLE_PAGE, "by_pyarrow": "pyarrow" in sys.modules}
        return table_of(self._batches(keys, page_size=page_size, **reading, **asked), keys, format)

    def _batches(self, keys: Sequence[str] | None, **asked: Any) -> Iterator[RowBatch]:
        fields = None if keys is None else [name for name in FIELDS if name == "_step" or name in keys]
        return read_pages(self._connection, f"{self._address}/scan", keys=keys, fields=fields, **asked)

    def _scan(self, keys: Sequence[str] | None, **asked: Any) -> Iterator[dict[str, Any]]:
        for batch in self._batches(keys, **asked):
            for piece in batch.pieces(_ROWS_AT_ONCE):
                yield from nested_rows(piece) if keys is None else rows_with_all(piece, keys)

    def beta_scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: FBT001, FBT002  # W&B's signature
    ) -> Iterator[dict[str, Any]]:
        """Call :meth:`scan_history`."""
        return self.scan_history(keys, page_size, min_step, max_step, use_cache)

    def series(
        self, keys: Sequence[str] | None = None, samples: int = 500, stream: Literal["default", "system"] = "default"
    ) -> list[dict[str, Any]]:
        """Return points of each numeric metric and writer: ``{"key", "writer", "label", "steps", "times", "values"}``.

        There are at most ``samples`` points of each, which include the extremes.
        """
        return list(self._get("series", keys=keys, samples=samples, stream=_STREAMS[stream])["series"])

    def find_keys(self, regex: str | None = None) -> Iterator[str]:
        """Yield the metrics of the run by name; nested ones are joined by dots.

        Args:
            regex: Only those in which this regular expression of RE2 is found.

        Raises:
            UsageError: The expression is not valid.
        """
        for page in self._connection.pages(f"{self._address}/keys", regex=regex):
            yield from page["keys"]

    def console(self, lines: int = 100) -> list[dict[str, Any]]:
        """Return the last lines of output: ``{"time", "stream", "text", "label", "host"}``, oldest first."""
        return list(self._get("console", lines=lines)["lines"])

    def console_page(self, after: str | None = None, lines: int = 1000) -> tuple[list[dict[str, Any]], str]:
        """Return lines of output in the order of their arrival, and the position after them.

        Args:
            after: The position after which lines are returned; ``""`` is the beginning, None returns the last lines.
            lines: How many of the last lines.
        """
        page = self._get("console", lines=lines, after=after)
        return list(page["lines"]), str(page["next"])

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts without repeats, oldest first: ``{"title", "full_title", "text", "level", "time", …}``."""
        return list(self.scan_alerts())

    def scan_alerts(self, page_size: int = 1000, *, repeats: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the alerts of the run, oldest first, read page by page.

        Args:
            page_size: Number of alerts of a page.
            repeats: Include those within the ``wait_duration`` of an earlier one; their ``repeat`` is True.
        """
        for page in self._connection.pages(f"{self._address}/alerts", limit=page_size, repeats=repeats):
            yield from page["alerts"]


def _checked_late(late: str) -> str:
    if late not in {"include", "exclude"}:
        raise UsageError(f"Invalid late={late!r}: expected 'include' or 'exclude'")
    return late
