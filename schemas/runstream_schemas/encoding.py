"""Events to the fields of an Avro record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas.events import (
    ChangeEvent,
    Column,
    ColumnType,
    Ending,
    Event,
    ExitEvent,
    HeartbeatEvent,
    LogEvent,
    RawEvent,
    Record,
)
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: How the values of a numeric column lie in its bytes.
DTYPES: Mapping[ColumnType, np.dtype[Any]] = {
    ColumnType.FLOAT64: np.dtype("<f8"),
    ColumnType.INT64: np.dtype("<i8"),
    ColumnType.BOOL: np.dtype("|b1"),
}
INT64 = np.dtype("<i8")
UINT32 = np.dtype("<u4")


def fields_of(event: Event) -> dict[str, Any]:
    """Return the fields of the Avro record of an event, by name."""
    fields = _envelope(event)
    match event:
        case LogEvent():
            _add_log(fields, event)
        case ChangeEvent():
            fields["records"] = [_record_fields(record, event.topic) for record in event.records]
            fields["reason"] = event.reason
        case HeartbeatEvent():
            _add_heartbeat(fields, event)
        case ExitEvent():
            fields["order"] = event.order
            fields["beats"] = event.beats
            fields["decides"] = event.decides
            fields["waits_for_all"] = event.waits_for_all
            _add_ending(fields, event.ending)
        case RawEvent():
            fields.update(event.fields)
            fields["order"] = event.order
            fields["reason"] = event.reason
    return fields


def _envelope(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": event.kind.value,
        "entity": event.run.entity,
        "project": event.run.project,
        "run_id": event.run.run_id,
        "writer_id": event.writer.id,
        "role": event.writer.role.value,
        "continues": event.writer.continues,
        "time": event.time,
    }
    if not isinstance(event, HeartbeatEvent):
        fields["seq"] = event.seq
        fields["count"] = event.count
    return fields


def _add_log(fields: dict[str, Any], event: LogEvent) -> None:
    fields["stream"] = event.stream.value
    fields["order"] = int(event.orders[0]) if len(event.orders) else 0
    fields["orders"] = _pack_unless_contiguous(event.orders)
    fields["step"] = int(event.steps[0]) if len(event.steps) else 0
    fields["steps"] = _pack_unless_contiguous(event.steps)
    fields["times"] = event.times.astype(INT64, copy=False).tobytes()
    # No index means "every row": a column without any row cannot be said, and says nothing.
    fields["columns"] = [
        _column_fields(column) for column in event.columns if column.rows is None or len(column.rows) > 0
    ]
    fields["reason"] = event.reason
    if (branch := event.branch) is not None:
        fields["branch_entity"] = branch.run.entity
        fields["branch_project"] = branch.run.project
        fields["branch_run_id"] = branch.run.run_id
        fields["branch_step"] = branch.step


def _column_fields(column: Column) -> dict[str, Any]:
    dtype = DTYPES.get(column.type)
    return {
        "path": column.path,
        "type": column.type.value,
        "rows": b"" if column.rows is None else column.rows.astype(UINT32, copy=False).tobytes(),
        "values": b"" if dtype is None or column.values is None else column.values.astype(dtype, copy=False).tobytes(),
        "texts": column.texts,
    }


def _record_fields(record: Record, topic: Topic) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {"op": entry.op.value, "path": entry.path, "value": entry.value} for entry in record.entries
    ]
    if topic is Topic.CONFIG:
        for fields, entry in zip(entries, record.entries, strict=True):
            fields["scope"] = entry.scope.value
    return {"order": record.order, "time": record.time, "entries": entries}


def _add_heartbeat(fields: dict[str, Any], event: HeartbeatEvent) -> None:
    fields["number"] = event.number
    fields["order"] = event.order
    fields["trainer_alive"] = event.trainer_alive
    fields["interval_ms"] = event.interval_ms
    fields["pending"] = event.pending
    fields["host"] = event.host
    fields["label"] = event.label
    fields["signature"] = event.signature
    fields["preempting"] = event.preempting
    fields["decides"] = event.decides
    fields["waits_for_all"] = event.waits_for_all
    if event.ending is not None:
        _add_ending(fields, event.ending)


def _add_ending(fields: dict[str, Any], ending: Ending) -> None:
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
