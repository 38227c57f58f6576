"""Convert events to the fields of Avro records."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import events
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: The binary layout of the values of numeric columns.
DTYPES: Mapping[events.ColumnType, np.dtype[Any]] = {
    events.ColumnType.FLOAT64: np.dtype("<f8"),
    events.ColumnType.INT64: np.dtype("<i8"),
    events.ColumnType.BOOL: np.dtype("|b1"),
}
_CONVERTED = frozenset({"header", "ending", "failure", "files"})
#: The fields that have the same name and value in the event and in the schema; enums are written as their symbols.
_PLAIN_FIELDS: Mapping[type[events.Event], tuple[str, ...]] = {
    kind: tuple(
        item.name for item in dataclass_fields(kind) if item.name not in {"header", "ending", "failure", "files"}
    )
    for kind in (
        events.HeartbeatEvent,
        events.ExitEvent,
        events.FileEvent,
        events.ArtifactEvent,
        events.AlertEvent,
        events.StateEvent,
    )
}
INT64 = np.dtype("<i8")
UINT32 = np.dtype("<u4")


def fields_of(event: events.Event) -> dict[str, Any]:
    """Return the fields of the Avro record of an event, by name."""
    header = event.header
    fields: dict[str, Any] = {
        "kind": header.kind.value,
        "entity": header.run.entity,
        "project": header.run.project,
        "run_id": header.run.run_id,
        "writer_id": header.writer.id,
        "role": header.writer.role.value,
        "continues": header.writer.continues,
        "time": header.time,
        "seq": header.seq,
        "count": header.count,
        "order": header.order,
        "reason": header.reason,
    }
    match event:
        case events.LogEvent():
            _add_log(fields, event)
        case events.ChangeEvent():
            fields["records"] = [_record_fields(record, event.topic) for record in event.records]
            fields["principal"] = event.principal
        case events.HeartbeatEvent() | events.ExitEvent():
            _add_plain(fields, event)
            if event.ending is not None:
                _add_ending(fields, event.ending)
            if isinstance(event, events.ExitEvent) and (failure := event.failure) is not None:
                fields["exception_type"], fields["exception_message"] = failure.type, failure.message
                fields["traceback"] = failure.traceback
        case events.FileEvent():
            _add_plain(fields, event)
            fields["files"] = [file._asdict() for file in event.files]
        case events.ArtifactEvent() | events.AlertEvent() | events.StateEvent():
            _add_plain(fields, event)
    return fields


def _add_plain(fields: dict[str, Any], event: events.Event) -> None:
    for name in _PLAIN_FIELDS[type(event)]:
        value = getattr(event, name)
        fields[name] = value.value if isinstance(value, Enum) else value


def _add_log(fields: dict[str, Any], event: events.LogEvent) -> None:
    fields["stream"] = event.stream.value
    fields["order"] = int(event.orders[0]) if len(event.orders) else 0
    fields["orders"] = _pack_unless_contiguous(event.orders)
    fields["step"] = int(event.steps[0]) if len(event.steps) else 0
    fields["steps"] = _pack_unless_contiguous(event.steps)
    fields["times"] = event.times.astype(INT64, copy=False).tobytes()
    # An empty index means "every row", so a column without rows has no representation; it holds no values either.
    fields["columns"] = [
        _column_fields(column) for column in event.columns if column.rows is None or len(column.rows) > 0
    ]
    if (branch := event.branch) is not None:
        fields["branch_entity"] = branch.run.entity
        fields["branch_project"] = branch.run.project
        fields["branch_run_id"] = branch.run.run_id
        fields["branch_step"] = branch.step


def _column_fields(column: events.Column) -> dict[str, Any]:
    dtype = DTYPES.get(column.type)
    return {
        "path": column.path,
        "type": column.type.value,
        "rows": b"" if column.rows is None else column.rows.astype(UINT32, copy=False).tobytes(),
        "values": b"" if dtype is None or column.values is None else column.values.astype(dtype, copy=False).tobytes(),
        "texts": column.texts,
    }


def _record_fields(record: events.Record, topic: Topic) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {"op": entry.op.value, "path": entry.path, "value": entry.value} for entry in record.entries
    ]
    if topic is Topic.CONFIG:
        for fields, entry in zip(entries, record.entries, strict=True):
            fields["scope"] = entry.scope.value
    return {"order": record.order, "time": record.time, "entries": entries}


def _add_ending(fields: dict[str, Any], ending: events.Ending) -> None:
    fields["state"] = ending.state.value
    fields["exit_code"] = ending.exit_code
    fields["signal"] = ending.signal
    fields["reason"] = ending.reason
    fields["counts"] = [{"topic": topic.value, "count": count} for topic, count in ending.counts.items()]


def _pack_unless_contiguous(numbers: NDArray[np.int64]) -> bytes:
    # Plain integers: a difference of two int64 may be wider than one.
    if len(numbers) == 0 or (
        int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1 and bool((numbers[1:] > numbers[:-1]).all())
    ):
        return b""
    return numbers.astype(INT64, copy=False).tobytes()
