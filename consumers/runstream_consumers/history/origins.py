"""The training process and machine that a shipper's rows describe. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from runstream_schemas.events import LogEvent
from runstream_schemas.rows import column_values


@dataclass(frozen=True, slots=True)
class Origin:
    """A training process, as identified by the shipper that measures it."""

    #: Its writer id.
    trainer: bytes
    label: str
    host: str


def origin_of(event: LogEvent) -> Origin | None:
    """Return the origin in the last row of a block, or None if it has none, as blocks of older shippers."""
    fields = {
        column.path[0]: values[-1]
        for column in event.columns
        if column.path in ORIGIN_PATHS and (values := column_values(column, event.count))
    }
    try:
        trainer = bytes.fromhex(str(fields.get("trainer", "")))
    except ValueError:
        return None
    if not trainer:
        return None
    return Origin(trainer, str(fields.get("label", "")), str(fields.get("host", "")))


#: Columns that identify the origin.
ORIGIN_PATHS = frozenset({("trainer",), ("label",), ("host",)})
