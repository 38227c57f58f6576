"""Whose process and machine the rows of a shipper are about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_schemas.rows import column_values

if TYPE_CHECKING:
    from runstream_schemas.events import LogEvent


@dataclass(frozen=True, slots=True)
class Origin:
    """A training process, as the shipper that measures it names it."""

    #: Its writer.
    trainer: bytes
    label: str
    host: str


def origin_of(event: LogEvent) -> Origin | None:
    """Return what a block is about, by its last row; None where it does not say, as those of older shippers."""
    said = {
        column.path[0]: values[-1]
        for column in event.columns
        if column.path in _PATHS and (values := column_values(column, event.count))
    }
    try:
        trainer = bytes.fromhex(str(said.get("trainer", "")))
    except ValueError:
        return None
    if not trainer:
        return None
    return Origin(trainer, str(said.get("label", "")), str(said.get("host", "")))


_PATHS = frozenset({("trainer",), ("label",), ("host",)})
