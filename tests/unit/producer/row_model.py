"""A simple model of the rules of steps, and the rows that the shipper assembles from a spool, for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.assembly.assembler import Assembler
from runstream.spool.reader import SpoolReader

if TYPE_CHECKING:
    from pathlib import Path


class RowModel:
    """Rows as lists, merged in place."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.counter = 0
        self.open: dict[str, Any] | None = None

    def log(self, data: dict[str, Any], step: int | None, commit: bool | None) -> None:  # noqa: FBT001
        """Apply one call."""
        at = self.counter if step is None else step
        if at < self.counter:
            self.rows.append((at, {}))
            merge(self.rows[-1][1], data)
            return
        if self.open is None or at > self.counter:
            self.open = {}
            self.rows.append((at, self.open))
        merge(self.open, data)
        self.counter = at
        if commit or (commit is None and step is None):
            self.open = None
            self.counter = at + 1

    def last(self) -> dict[str, Any]:
        """Return the last value of each key: the one at the greatest step, and of equal steps the latest."""
        found: dict[str, Any] = {}
        for _, values in sorted(self.rows, key=lambda row: row[0]):
            merge(found, values)
        return found


def assembled(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return steps and values of the rows of a writer that has ended, as the shipper publishes them."""
    reader = SpoolReader(folder)
    assembler = Assembler({}, block_bytes=10_000, block_rows=7)
    while batch := reader.read(ended=True):
        assembler.add(batch)
    reader.close()
    assembler.close_row()
    blocks = assembler.blocks()
    return [row for block in blocks for row in zip(block.steps, block.values, strict=True)]


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Merge nested dicts, in place."""
    for key, value in more.items():
        if isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            merge(into[key], value)
        else:
            into[key] = value
