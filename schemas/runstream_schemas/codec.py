"""Events to bytes and back.

:func:`encode` writes by the newest schema of the event's topic; :func:`decode` reads whatever committed version wrote it
and trusts nothing: not the frame, not the lengths, not the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

from runstream_schemas import registry
from runstream_schemas.events import (
    ChangeEvent,
    Column,
    ColumnType,
    Ending,
    Entry,
    Event,
    ExitEvent,
    ExitState,
    HeartbeatEvent,
    Kind,
    LogEvent,
    Operation,
    RawEvent,
    Record,
    Role,
    Scope,
    Stream,
    Writer,
)
from runstream_schemas.exceptions import LimitExceeded, MalformedEvent
from runstream_schemas.framing import frame, unframe
from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.topics import RunPath, Topic

_DTYPES: Mapping[ColumnType, str] = {ColumnType.FLOAT64: "<f8", ColumnType.INT64: "<i8", ColumnType.BOOL: "|b1"}
_KINDS = {kind.value: kind for kind in Kind}
_ROLES = {role.value: role for role in Role}
_COLUMN_TYPES = {kind.value: kind for kind in ColumnType}
_TOPICS = {topic.value: topic for topic in Topic}
_ENVELOPE = frozenset(
    ["kind", "entity", "project", "run_id", "writer_id", "role", "continues", "time", "seq", "count", "order", "reason"]
)


def encode(event: Event) -> bytes:
    """Return the framed message of an event."""
    schema = registry.current(event.topic)
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, schema.parsed, _to_avro(event))
    return frame(schema.id, buffer.getvalue())


def decode(topic: Topic, message: bytes, limits: Limits = DEFAULT_LIMITS) -> Event:
    """Return the event in a message of that topic.

    Raises MalformedEvent (or its subclasses UnknownSchema and LimitExceeded) for anything that :func:`encode` could not
    have written within the limits.
    """
    if len(message) > limits.message_bytes:
        raise LimitExceeded(f"message of {len(message)} bytes; at most {limits.message_bytes}")
    identifier, body = unframe(message)
    schema = registry.by_id(identifier)
    if schema.topic is not topic:
        raise MalformedEvent(f"a record of topic {schema.topic.value} on topic {topic.value}")
    buffer = BytesIO(body)
    try:
        fields: Any = fastavro.schemaless_reader(buffer, schema.parsed, registry.current(topic).parsed)
        if buffer.tell() != len(body):
            raise MalformedEvent(f"{len(body) - buffer.tell()} bytes behind the end of the record")
        return _from_avro(topic, fields)
    except MalformedEvent:
        raise
    except Exception as error:  # fastavro raises whatever its inner reader met
        raise MalformedEvent(f"no {topic.value} record: {type(error).__name__}: {error}") from error


# --- to Avro


def _to_avro(event: Event) -> dict[str, Any]:
    fields = _envelope(event)
    match event:
        case LogEvent():
            fields |= _log_fields(event)
        case ChangeEvent():
            fields |= {"records": [_record_fields(record, event.topic) for record in event.records]}
            fields["reason"] = event.reason
        case HeartbeatEvent():
            fields |= {
                "number": event.number,
                "order": event.order,
                "trainer_alive": event.trainer_alive,
                "interval_ms": event.interval_ms,
                "pending": event.pending,
                "host": event.host,
                "label": event.label,
                "signature": event.signature,
            }
            if event.ending is not None:
                fields |= _ending_fields(event.ending)
        case ExitEvent():
            fields |= {"order": event.order, **_ending_fields(event.ending)}
        case RawEvent():
            fields |= {**event.fields, "order": event.order, "reason": event.reason}
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


def _log_fields(event: LogEvent) -> dict[str, Any]:
    return {
        "stream": event.stream.value,
        "order": int(event.orders[0]) if len(event.orders) else 0,
        "orders": _pack_unless_contiguous(event.orders),
        "step": int(event.steps[0]) if len(event.steps) else 0,
        "steps": _pack_unless_contiguous(event.steps),
        "times": event.times.astype("<i8", copy=False).tobytes(),
        "columns": [_column_fields(column) for column in event.columns],
        "reason": event.reason,
    }


def _column_fields(column: Column) -> dict[str, Any]:
    dtype = _DTYPES.get(column.type)
    return {
        "path": column.path,
        "type": column.type.value,
        "rows": b"" if column.rows is None else column.rows.astype("<u4", copy=False).tobytes(),
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


def _ending_fields(ending: Ending) -> dict[str, Any]:
    return {
        "state": ending.state.value,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "reason": ending.reason,
        "counts": [{"topic": topic.value, "count": count} for topic, count in ending.counts.items()],
    }


def _pack_unless_contiguous(numbers: NDArray[np.int64]) -> bytes:
    if len(numbers) < 2 or (numbers[-1] - numbers[0] == len(numbers) - 1 and bool((np.diff(numbers) == 1).all())):
        return b""
    return numbers.astype("<i8", copy=False).tobytes()


# --- from Avro


def _from_avro(topic: Topic, fields: Mapping[str, Any]) -> Event:
    run = RunPath(entity=fields["entity"], project=fields["project"], run_id=fields["run_id"])
    writer = Writer(id=fields["writer_id"], role=_ROLES[fields["role"]], continues=tuple(fields["continues"]))
    kind = _KINDS[fields["kind"]]
    time: int = fields["time"]
    if topic is Topic.HEARTBEAT:
        return _heartbeat(fields, run, writer, kind, time)
    seq: int = fields["seq"]
    count: int = fields["count"]
    if seq < 0 or count < 0:
        raise MalformedEvent(f"records {seq}+{count}: numbers must not be negative")
    if topic is Topic.LOG:
        return _log(fields, run, writer, kind, time, seq, count)
    if topic is Topic.EXIT:
        ending = _ending(fields)
        return ExitEvent(
            kind=kind, run=run, writer=writer, time=time, seq=seq, count=count, order=fields["order"], ending=ending
        )
    if topic in (Topic.CONFIG, Topic.SUMMARY):
        records = tuple(_record(item) for item in fields["records"])
        if kind is Kind.DATA and len(records) != count:
            raise MalformedEvent(f"{len(records)} records where the event counts {count}")
        return ChangeEvent(
            topic=topic,
            kind=kind,
            run=run,
            writer=writer,
            time=time,
            seq=seq,
            count=count,
            records=records,
            reason=fields["reason"],
        )
    return RawEvent(
        topic=topic,
        kind=kind,
        run=run,
        writer=writer,
        time=time,
        seq=seq,
        count=count,
        order=fields["order"],
        fields={name: value for name, value in fields.items() if name not in _ENVELOPE},
        reason=fields["reason"],
    )


def _log(
    fields: Mapping[str, Any], run: RunPath, writer: Writer, kind: Kind, time: int, seq: int, count: int
) -> LogEvent:
    rows = count if kind is Kind.DATA else 0
    return LogEvent(
        kind=kind,
        run=run,
        writer=writer,
        time=time,
        seq=seq,
        count=count,
        stream=Stream(fields["stream"]),
        orders=_unpack_or_contiguous(fields["orders"], fields["order"], rows, "orders"),
        steps=_unpack_or_contiguous(fields["steps"], fields["step"], rows, "steps"),
        times=_unpack(fields["times"], "<i8", rows, "times"),
        columns=tuple(_column(item, rows) for item in fields["columns"]),
        reason=fields["reason"],
    )


def _column(fields: Mapping[str, Any], rows: int) -> Column:
    kind = _COLUMN_TYPES[fields["type"]]
    packed_rows: bytes = fields["rows"]
    index: NDArray[np.uint32] | None = None
    size = rows
    if packed_rows:
        index = _unpack(packed_rows, "<u4", len(packed_rows) // 4, "rows")
        size = len(index)
        if index[-1] >= rows or (size > 1 and not bool((index[1:] > index[:-1]).all())):
            raise MalformedEvent("rows of a column must ascend and lie in the block")
    texts: list[str] = fields["texts"]
    if kind is ColumnType.JSON and len(texts) != size:
        raise MalformedEvent(f"{len(texts)} texts where the column has {size} values")
    dtype = _DTYPES.get(kind)
    values = None if dtype is None else _unpack(fields["values"], dtype, size, "values")
    return Column(path=tuple(fields["path"]), type=kind, rows=index, values=values, texts=texts)


def _record(fields: Mapping[str, Any]) -> Record:
    entries = tuple(
        Entry(
            op=Operation(item["op"]),
            path=tuple(item["path"]),
            value=item["value"],
            scope=Scope(item.get("scope", "unknown")),
        )
        for item in fields["entries"]
    )
    return Record(order=fields["order"], time=fields["time"], entries=entries)


def _ending(fields: Mapping[str, Any]) -> Ending:
    return Ending(
        state=ExitState(fields["state"]),
        exit_code=fields["exit_code"],
        signal=fields["signal"],
        reason=fields["reason"],
        counts={_TOPICS[item["topic"]]: item["count"] for item in fields["counts"] if item["topic"] in _TOPICS},
    )


def _heartbeat(fields: Mapping[str, Any], run: RunPath, writer: Writer, kind: Kind, time: int) -> HeartbeatEvent:
    return HeartbeatEvent(
        kind=kind,
        run=run,
        writer=writer,
        time=time,
        number=fields["number"],
        order=fields["order"],
        trainer_alive=fields["trainer_alive"],
        interval_ms=fields["interval_ms"],
        pending=fields["pending"],
        host=fields["host"],
        label=fields["label"],
        ending=_ending(fields) if kind is Kind.GOODBYE else None,
        signature=fields["signature"],
    )


def _unpack(packed: bytes, dtype: str, size: int, name: str) -> NDArray[Any]:
    item = np.dtype(dtype).itemsize
    if len(packed) != size * item:
        raise MalformedEvent(f"{name}: {len(packed)} bytes where {size} values of {item} bytes belong")
    return np.frombuffer(packed, dtype=dtype)


def _unpack_or_contiguous(packed: bytes, first: int, size: int, name: str) -> NDArray[np.int64]:
    if packed:
        return _unpack(packed, "<i8", size, name)
    return np.arange(first, first + size, dtype=np.int64)
