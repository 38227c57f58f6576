"""The fields of an Avro record to events. Nothing that the fields say is taken on trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import values
from runstream_schemas.encoding import DTYPES, INT64, UINT32
from runstream_schemas.events import (
    Branch,
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
from runstream_schemas.topics import RunPath, Topic, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runstream_schemas.limits import Limits

# A call of an enum class costs ten times a look-up.
_KINDS = {kind.value: kind for kind in Kind}
_ROLES = {role.value: role for role in Role}
_STREAMS = {stream.value: stream for stream in Stream}
_COLUMN_TYPES = {kind.value: kind for kind in ColumnType}
_SCOPES = {scope.value: scope for scope in Scope}
_OPERATIONS = {operation.value: operation for operation in Operation}
_EXIT_STATES = {state.value: state for state in ExitState}
_TOPICS = {topic.value: topic for topic in Topic}

_ENVELOPE = frozenset(
    ["kind", "entity", "project", "run_id", "writer_id", "role", "continues", "time", "seq", "count", "order", "reason"]
)
_INT32_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1
#: End of the year 9999, microseconds since 1970: what every calendar library can still show.
_TIME_MAX = 253_402_300_799_999_999
_NO_NUMBERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Head:
    """What every event says first."""

    kind: Kind
    run: RunPath
    writer: Writer
    time: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Which records of its writer and topic an event carries."""

    seq: int
    count: int


def event_of(topic: Topic, fields: Mapping[str, Any], limits: Limits) -> Event:
    """Return the event of a record's fields.

    Raises MalformedEvent, LimitExceeded, or whatever a value of the wrong type provokes.
    """
    head = _head(topic, fields, limits)
    if topic is Topic.HEARTBEAT:
        return _heartbeat(fields, head)
    numbers = _numbers(fields)
    if topic is Topic.LOG:
        return _log(fields, head, numbers, limits)
    if topic in (Topic.CONFIG, Topic.SUMMARY):
        return _change(topic, fields, head, numbers, limits)
    if topic is Topic.EXIT:
        return _exit(fields, head, numbers)
    return _raw(topic, fields, head, numbers)


# --- what all events share


def _head(topic: Topic, fields: Mapping[str, Any], limits: Limits) -> _Head:
    kind = _KINDS[fields["kind"]]
    run = RunPath(entity=fields["entity"], project=fields["project"], run_id=fields["run_id"])
    # A tick is of a partition, not of a run.
    if not (topic is Topic.HEARTBEAT and kind is Kind.TICK):
        _check_names(run, limits)
    writer = Writer(id=fields["writer_id"], role=_ROLES[fields["role"]], continues=tuple(fields["continues"]))
    return _Head(kind, run, writer, _within(fields["time"], _TIME_MAX, "time"))


def _check_names(run: RunPath, limits: Limits) -> None:
    for name in (run.entity, run.project, run.run_id):
        if len(name) > limits.name_length:
            raise LimitExceeded(f"name of {len(name)} characters; at most {limits.name_length}")
        if not is_name(name):
            raise MalformedEvent(f"{name!r} names no entity, project or run")


def _numbers(fields: Mapping[str, Any]) -> _Numbers:
    seq: int = fields["seq"]
    count: int = fields["count"]
    if seq < 0 or not 0 < count <= _INT32_MAX or seq + count > _INT64_MAX:
        raise MalformedEvent(f"{count} records from {seq} on cannot be")
    return _Numbers(seq, count)


def _within(number: int, most: int, name: str, *, least: int = 0) -> int:
    if not least <= number <= most:
        raise MalformedEvent(f"{name} {number} is out of range")
    return number


def _path(names: Sequence[str], limits: Limits) -> tuple[str, ...]:
    if not names:
        raise MalformedEvent("a path without a name")
    if len(names) > limits.depth:
        raise LimitExceeded(f"path of {len(names)} names; at most {limits.depth}")
    if max(map(len, names)) > limits.key_length:
        raise LimitExceeded(f"key of {max(map(len, names))} characters; at most {limits.key_length}")
    return tuple(names)


def _ending(fields: Mapping[str, Any]) -> Ending:
    return Ending(
        state=_EXIT_STATES[fields["state"]],
        exit_code=_within(fields["exit_code"], _INT32_MAX, "exit code", least=~_INT32_MAX),
        signal=_within(fields["signal"], _INT32_MAX, "signal", least=-1),
        reason=fields["reason"],
        counts={
            _TOPICS[item["topic"]]: _within(item["count"], _INT64_MAX, "count")
            for item in fields["counts"]
            if item["topic"] in _TOPICS
        },
    )


# --- the topics


def _log(fields: Mapping[str, Any], head: _Head, numbers: _Numbers, limits: Limits) -> LogEvent:
    orders = steps = times = _NO_NUMBERS
    columns: tuple[Column, ...] = ()
    if head.kind is Kind.DATA:
        rows = numbers.count
        if rows > limits.block_rows:
            raise LimitExceeded(f"block of {rows} rows; at most {limits.block_rows}")
        orders = _orders(fields["orders"], fields["order"], rows)
        steps = _unpack_or_contiguous(fields["steps"], fields["step"], rows, "steps")
        times = _unpack(fields["times"], INT64, rows, "times")
        if _outside(times.view(np.uint64), _TIME_MAX):
            raise MalformedEvent("times of rows are out of range")
        columns = tuple([_column(item, rows, limits) for item in fields["columns"]])
    return LogEvent(
        kind=head.kind,
        run=head.run,
        writer=head.writer,
        time=head.time,
        seq=numbers.seq,
        count=numbers.count,
        stream=_STREAMS[fields["stream"]],
        orders=orders,
        steps=steps,
        times=times,
        columns=columns,
        reason=fields["reason"],
        branch=_branch(fields, numbers, limits) if head.kind is Kind.BRANCH else None,
    )


def _branch(fields: Mapping[str, Any], numbers: _Numbers, limits: Limits) -> Branch:
    run = RunPath(entity=fields["branch_entity"], project=fields["branch_project"], run_id=fields["branch_run_id"])
    _check_names(run, limits)
    _within(numbers.count, 1, "count")
    return Branch(run=run, step=_within(fields["branch_step"], _INT64_MAX, "step", least=~_INT64_MAX))


def _change(topic: Topic, fields: Mapping[str, Any], head: _Head, numbers: _Numbers, limits: Limits) -> ChangeEvent:
    records: tuple[Record, ...] = ()
    if head.kind is Kind.DATA:
        records = tuple([_record(item, limits) for item in fields["records"]])
        if len(records) != numbers.count:
            raise MalformedEvent(f"{len(records)} records where the event counts {numbers.count}")
    return ChangeEvent(
        topic=topic,
        kind=head.kind,
        run=head.run,
        writer=head.writer,
        time=head.time,
        seq=numbers.seq,
        count=numbers.count,
        records=records,
        reason=fields["reason"],
    )


def _heartbeat(fields: Mapping[str, Any], head: _Head) -> HeartbeatEvent:
    return HeartbeatEvent(
        kind=head.kind,
        run=head.run,
        writer=head.writer,
        time=head.time,
        number=_within(fields["number"], _INT64_MAX, "number"),
        order=_within(fields["order"], _INT64_MAX, "order"),
        trainer_alive=fields["trainer_alive"],
        interval_ms=_within(fields["interval_ms"], _INT32_MAX, "interval"),
        pending=_within(fields["pending"], _INT64_MAX, "pending"),
        host=fields["host"],
        label=fields["label"],
        ending=_ending(fields) if head.kind is Kind.GOODBYE else None,
        signature=fields["signature"],
        preempting=fields["preempting"],
        decides=fields["decides"],
        waits_for_all=fields["waits_for_all"],
    )


def _exit(fields: Mapping[str, Any], head: _Head, numbers: _Numbers) -> ExitEvent:
    return ExitEvent(
        kind=head.kind,
        run=head.run,
        writer=head.writer,
        time=head.time,
        seq=numbers.seq,
        count=_within(numbers.count, 1, "count"),
        order=_within(fields["order"], _INT64_MAX, "order"),
        beats=fields["beats"],
        decides=fields["decides"],
        waits_for_all=fields["waits_for_all"],
        ending=_ending(fields),
    )


def _raw(topic: Topic, fields: Mapping[str, Any], head: _Head, numbers: _Numbers) -> RawEvent:
    return RawEvent(
        topic=topic,
        kind=head.kind,
        run=head.run,
        writer=head.writer,
        time=head.time,
        seq=numbers.seq,
        count=numbers.count,
        order=_within(fields["order"], _INT64_MAX, "order"),
        fields={name: value for name, value in fields.items() if name not in _ENVELOPE},
        reason=fields["reason"],
    )


# --- parts of the log, config and summary


def _column(fields: Mapping[str, Any], rows: int, limits: Limits) -> Column:
    kind = _COLUMN_TYPES[fields["type"]]
    index, size = _index(fields["rows"], rows)
    dtype = DTYPES.get(kind)
    packed = None if dtype is None else _unpack(fields["values"], dtype, size, "values")
    if kind is ColumnType.BOOL and packed is not None and _outside(packed.view(np.uint8), 1):
        raise MalformedEvent("a bool is 0 or 1")
    texts: Sequence[str] = fields["texts"] or ()
    if kind is ColumnType.JSON:
        if len(texts) != size:
            raise MalformedEvent(f"{len(texts)} texts where the column has {size} values")
        for text in texts:
            values.check(text, depth=limits.depth)
    return Column(path=_path(fields["path"], limits), type=kind, rows=index, values=packed, texts=texts)


def _index(packed: bytes, rows: int) -> tuple[NDArray[np.uint32] | None, int]:
    if not packed:
        return None, rows
    index: NDArray[np.uint32] = _unpack(packed, UINT32, len(packed) // UINT32.itemsize, "rows")
    if index[-1] >= rows or not bool((index[1:] > index[:-1]).all()):
        raise MalformedEvent("rows of a column must ascend and lie in the block")
    return index, len(index)


def _orders(packed: bytes, first: int, size: int) -> NDArray[np.int64]:
    orders = _unpack_or_contiguous(packed, first, size, "orders")
    if orders[0] < 0 or (packed and not bool((orders[1:] > orders[:-1]).all())):
        raise MalformedEvent("orders of rows must ascend from 0 on")
    return orders


def _record(fields: Mapping[str, Any], limits: Limits) -> Record:
    return Record(
        order=_within(fields["order"], _INT64_MAX, "order"),
        time=_within(fields["time"], _TIME_MAX, "time"),
        entries=tuple([_entry(item, limits) for item in fields["entries"]]),
    )


def _entry(fields: Mapping[str, Any], limits: Limits) -> Entry:
    value: str = fields["value"]
    values.check(value, depth=limits.depth)
    return Entry(
        op=_OPERATIONS[fields["op"]],
        path=_path(fields["path"], limits),
        value=value,
        scope=_SCOPES[fields.get("scope", "unknown")],
    )


def _unpack(packed: bytes, dtype: np.dtype[Any], size: int, name: str) -> NDArray[Any]:
    if len(packed) != size * dtype.itemsize:
        raise MalformedEvent(f"{name}: {len(packed)} bytes where {size} values of {dtype.itemsize} bytes belong")
    return np.frombuffer(packed, dtype=dtype)


def _unpack_or_contiguous(packed: bytes, first: int, size: int, name: str) -> NDArray[np.int64]:
    if packed:
        return _unpack(packed, INT64, size, name)
    _within(first, _INT64_MAX - max(size - 1, 0), name, least=~_INT64_MAX)
    # Added, not counted from first: the end of the range need not be an int64.
    return np.arange(size, dtype=np.int64) + first


def _outside(numbers: NDArray[np.unsignedinteger[Any]], most: int) -> bool:
    # Seen as unsigned, a negative number is a very great one: one comparison does for both ends.
    return bool((numbers > most).any())
