"""Convert the fields of Avro records to events. Every field is checked."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import events, values
from runstream_schemas.encoding import DTYPES, INT64, UINT32
from runstream_schemas.exceptions import LimitExceeded, MalformedEvent
from runstream_schemas.rows import weight
from runstream_schemas.topics import RunPath, Topic, is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from runstream_schemas.limits import Limits

# A lookup is ten times as fast as calling the enum class.
_KINDS = {kind.value: kind for kind in events.Kind}
_ROLES = {role.value: role for role in events.Role}
_STREAMS = {stream.value: stream for stream in events.Stream}
COLUMN_TYPES = {kind.value: kind for kind in events.ColumnType}
_SCOPES = {scope.value: scope for scope in events.Scope}
_OPERATIONS = {operation.value: operation for operation in events.Operation}
_EXIT_STATES = {state.value: state for state in events.ExitState}
_RUN_STATES = {state.value: state for state in events.RunState}
_FILE_POLICIES = {policy.value: policy for policy in events.FilePolicy}
#: Fields of artifacts that are the same in the event and in the schema, from its second version on.
_NEW_ARTIFACT_FIELDS = (
    "artifact_entity",
    "artifact_project",
    "version",
    "decision",
    "size",
    "file_count",
    "description",
    "ttl_s",
    "draft",
    "use_as",
    "target_version",
    "target_decision",
    "changes",
    "principal",
)
_ARTIFACT_ACTIONS = {action.value: action for action in events.ArtifactAction}
_ALERT_LEVELS = {level.value: level for level in events.AlertLevel}
_TOPICS = {topic.value: topic for topic in Topic}
_ENDINGS = frozenset([Topic.HEARTBEAT, Topic.EXIT])

_INT32_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1
#: End of the year 9999, microseconds since 1970: the last time that every calendar library supports.
_TIME_MAX = 253_402_300_799_999_999
_NO_NUMBERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


def event_of(topic: Topic, fields: Mapping[str, Any], limits: Limits) -> events.Event:
    """Return the event of a record's fields.

    Raises MalformedEvent, LimitExceeded, or whatever a value of the wrong type causes.
    """
    return _CONVERTERS[topic](topic, fields, _header(topic, fields, limits), limits)


# --- fields of all events


def _header(topic: Topic, fields: Mapping[str, Any], limits: Limits) -> events.Header:
    kind = _KINDS[fields["kind"]]
    # A tick belongs to a partition, not to a run.
    names = fields["entity"], fields["project"], fields["run_id"]
    is_tick = kind is events.Kind.TICK and topic is Topic.HEARTBEAT
    run = RunPath(*names) if is_tick else _checked_run(*names, limits.name_length)
    if len(fields["continues"]) > limits.continues:
        raise LimitExceeded(f"Writer that continues {len(fields['continues'])} others, limit {limits.continues}")
    seq: int = fields.get("seq", 0)
    count: int = fields.get("count", 1)
    if seq < 0 or not 0 < count <= _INT32_MAX or seq + count > _INT64_MAX:
        raise MalformedEvent(f"Invalid sequence numbers: {count} records from {seq} on")
    return events.Header(
        kind=kind,
        run=run,
        writer=events.Writer(id=fields["writer_id"], role=_ROLES[fields["role"]], continues=tuple(fields["continues"])),
        time=_within(fields["time"], _TIME_MAX, "time"),
        seq=seq,
        count=count,
        # The order of a block is that of its first row.
        order=0 if topic is Topic.LOG else _within(fields.get("order", 0), _INT64_MAX, "order"),
        # The reason of an exit or a goodbye is in its ending.
        reason="" if topic in _ENDINGS else fields["reason"],
    )


@lru_cache(maxsize=16_384)
def _checked_run(entity: str, project: str, run_id: str, longest: int) -> RunPath:
    """Return a run, of which most have many events; an exception is not cached."""
    for name in (entity, project, run_id):
        if len(name) > longest:
            raise LimitExceeded(f"Name of {len(name)} characters, limit {longest}")
        if not is_name(name):
            raise MalformedEvent(f"Invalid name of an entity, project or run: {name!r}")
    return RunPath(entity, project, run_id)


def _within(number: int, most: int, name: str, *, least: int = 0) -> int:
    if not least <= number <= most:
        raise MalformedEvent(f"Value of {name} out of range: {number}")
    return number


def _path(names: Sequence[str], limits: Limits) -> tuple[str, ...]:
    if len(names) == 1 and len(names[0]) <= limits.key_length:
        return (names[0],)
    if not names:
        raise MalformedEvent("Empty path")
    if len(names) > limits.depth:
        raise LimitExceeded(f"Path of {len(names)} names, limit {limits.depth}")
    if max(map(len, names)) > limits.key_length:
        raise LimitExceeded(f"Key of {max(map(len, names))} characters, limit {limits.key_length}")
    return tuple(names)


def _ending(fields: Mapping[str, Any]) -> events.Ending:
    return events.Ending(
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


# --- fields by topic


def _log(_topic: Topic, fields: Mapping[str, Any], header: events.Header, limits: Limits) -> events.LogEvent:
    orders = steps = times = _NO_NUMBERS
    columns: tuple[events.Column, ...] = ()
    if header.kind is events.Kind.DATA:
        rows = header.count
        if rows > limits.block_rows:
            raise LimitExceeded(f"Block of {rows} rows, limit {limits.block_rows}")
        orders = _orders(fields["orders"], fields["order"], rows)
        steps = _unpack_or_contiguous(fields["steps"], fields["step"], rows, "steps")
        times = _unpack(fields["times"], INT64, rows, "times")
        if _outside(times.view(np.uint64), _TIME_MAX):
            raise MalformedEvent("Time of a row out of range")
        columns = tuple([_column(item, rows, limits) for item in fields["columns"]])
        if (found := weight(columns, rows)) > limits.block_weight:
            raise LimitExceeded(f"Block whose values have {found} names, limit {limits.block_weight}")
    return events.LogEvent(
        header=header,
        stream=_STREAMS[fields["stream"]],
        orders=orders,
        steps=steps,
        times=times,
        columns=columns,
        branch=_branch(fields, header, limits) if header.kind is events.Kind.BRANCH else None,
    )


def _branch(fields: Mapping[str, Any], header: events.Header, limits: Limits) -> events.Branch:
    run = _checked_run(fields["branch_entity"], fields["branch_project"], fields["branch_run_id"], limits.name_length)
    _within(header.count, 1, "count")
    return events.Branch(run=run, step=_within(fields["branch_step"], _INT64_MAX, "step", least=~_INT64_MAX))


def _change(topic: Topic, fields: Mapping[str, Any], header: events.Header, limits: Limits) -> events.ChangeEvent:
    records: tuple[events.Record, ...] = ()
    if header.kind is events.Kind.DATA:
        records = tuple([_record(item, limits) for item in fields["records"]])
        if len(records) != header.count:
            raise MalformedEvent(f"{len(records)} records in an event with a count of {header.count}")
    return events.ChangeEvent(header=header, topic=topic, records=records, principal=fields["principal"])


def _heartbeat(
    _topic: Topic, fields: Mapping[str, Any], header: events.Header, _limits: Limits
) -> events.HeartbeatEvent:
    return events.HeartbeatEvent(
        header=header,
        number=_within(fields["number"], _INT64_MAX, "number"),
        trainer_alive=fields["trainer_alive"],
        interval_ms=_within(fields["interval_ms"], _INT32_MAX, "interval"),
        pending=_within(fields["pending"], _INT64_MAX, "pending"),
        host=fields["host"],
        label=fields["label"],
        ending=_ending(fields) if header.kind is events.Kind.GOODBYE else None,
        signature=fields["signature"],
        preempting=fields["preempting"],
        decides=fields["decides"],
        waits_for_all=fields["waits_for_all"],
        open_runs=_within(fields["open_runs"], _INT64_MAX, "number of open runs"),
        silent_runs=_within(fields["silent_runs"], _INT64_MAX, "number of silent runs"),
    )


def _exit(_topic: Topic, fields: Mapping[str, Any], header: events.Header, _limits: Limits) -> events.ExitEvent:
    _within(header.count, 1, "count")
    return events.ExitEvent(
        header=header,
        beats=fields["beats"],
        decides=fields["decides"],
        waits_for_all=fields["waits_for_all"],
        ending=_ending(fields),
        failure=_failure(fields),
    )


def _failure(fields: Mapping[str, Any]) -> events.Failure | None:
    if not fields["exception_type"]:
        return None
    return events.Failure(
        type=fields["exception_type"], message=fields["exception_message"], traceback=fields["traceback"]
    )


def _file(_topic: Topic, fields: Mapping[str, Any], header: events.Header, _limits: Limits) -> events.FileEvent:
    return events.FileEvent(
        header=header,
        path=fields["path"],
        policy=_FILE_POLICIES[fields["policy"]],
        size=fields["size"],
        sha256=fields["sha256"],
        object_key=fields["object_key"],
        media_type=fields["media_type"],
        principal=fields["principal"],
        files=tuple(events.FileContent(**file) for file in fields["files"]),
    )


def _artifact(_topic: Topic, fields: Mapping[str, Any], header: events.Header, _limits: Limits) -> events.ArtifactEvent:
    return events.ArtifactEvent(
        header=header,
        action=_ARTIFACT_ACTIONS[fields["action"]],
        name=fields["name"],
        type=fields["type"],
        digest=fields["digest"],
        aliases=tuple(fields["aliases"]),
        tags=tuple(fields["tags"]),
        metadata=fields["metadata"],
        manifest_key=fields["manifest_key"],
        target=fields["target"],
        distributed_id=fields["distributed_id"],
        **{name: fields[name] for name in _NEW_ARTIFACT_FIELDS},
    )


def _alert(_topic: Topic, fields: Mapping[str, Any], header: events.Header, _limits: Limits) -> events.AlertEvent:
    return events.AlertEvent(
        header=header,
        title=fields["title"],
        full_title=fields["full_title"],
        text=fields["text"],
        level=_ALERT_LEVELS[fields["level"]],
        wait_duration_ms=fields["wait_duration_ms"],
    )


def _state(_topic: Topic, fields: Mapping[str, Any], header: events.Header, _limits: Limits) -> events.StateEvent:
    _within(header.count, 1, "count")
    return events.StateEvent(
        header=header,
        previous=_RUN_STATES[fields["previous"]],
        state=_RUN_STATES[fields["state"]],
        qualifiers=tuple(fields["qualifiers"]),
        cause=fields["cause"],
    )


_CONVERTERS: Mapping[Topic, Callable[[Topic, Mapping[str, Any], events.Header, Limits], events.Event]] = {
    Topic.LOG: _log,
    Topic.CONFIG: _change,
    Topic.SUMMARY: _change,
    Topic.HEARTBEAT: _heartbeat,
    Topic.EXIT: _exit,
    Topic.FILE: _file,
    Topic.ARTIFACT: _artifact,
    Topic.ALERT: _alert,
    Topic.STATE: _state,
}


# --- parts of log, config and summary events


def _column(fields: Mapping[str, Any], rows: int, limits: Limits) -> events.Column:
    kind = COLUMN_TYPES[fields["type"]]
    index, size = _index(fields["rows"], rows)
    dtype = DTYPES.get(kind)
    packed = None if dtype is None else _unpack(fields["values"], dtype, size, "values")
    if kind is events.ColumnType.BOOL and packed is not None and _outside(packed.view(np.uint8), 1):
        raise MalformedEvent("Byte of a bool column is neither 0 nor 1")
    texts: Sequence[str] = fields["texts"] or ()
    if kind is events.ColumnType.JSON:
        if len(texts) != size:
            raise MalformedEvent(f"{len(texts)} texts in a column of {size} values")
        for text in texts:
            values.check(text, depth=limits.depth)
    return events.Column(_path(fields["path"], limits), kind, index, packed, texts)


def _index(packed: bytes, rows: int) -> tuple[NDArray[np.uint32] | None, int]:
    if not packed:
        return None, rows
    index: NDArray[np.uint32] = _unpack(packed, UINT32, len(packed) // UINT32.itemsize, "rows")
    if index[-1] >= rows or not bool((index[1:] > index[:-1]).all()):
        raise MalformedEvent("Row indices of a column do not ascend or exceed the block")
    return index, len(index)


def _orders(packed: bytes, first: int, size: int) -> NDArray[np.int64]:
    orders = _unpack_or_contiguous(packed, first, size, "orders")
    if orders[0] < 0 or (packed and not bool((orders[1:] > orders[:-1]).all())):
        raise MalformedEvent("Orders of rows are negative or do not ascend")
    return orders


def _record(fields: Mapping[str, Any], limits: Limits) -> events.Record:
    return events.Record(
        order=_within(fields["order"], _INT64_MAX, "order"),
        time=_within(fields["time"], _TIME_MAX, "time"),
        entries=tuple([_entry(item, limits) for item in fields["entries"]]),
    )


def _entry(fields: Mapping[str, Any], limits: Limits) -> events.Entry:
    value: str = fields["value"]
    values.check(value, depth=limits.depth)
    # By position: most of what is decoded are entries.
    return events.Entry(
        _OPERATIONS[fields["op"]], _path(fields["path"], limits), value, _SCOPES[fields.get("scope", "unknown")]
    )


def _unpack(packed: bytes, dtype: np.dtype[Any], size: int, name: str) -> NDArray[Any]:
    if len(packed) != size * dtype.itemsize:
        raise MalformedEvent(f"{len(packed)} bytes of {name}, expected {size} values of {dtype.itemsize} bytes")
    return np.frombuffer(packed, dtype=dtype)


def _unpack_or_contiguous(packed: bytes, first: int, size: int, name: str) -> NDArray[np.int64]:
    if packed:
        return _unpack(packed, INT64, size, name)
    _within(first, _INT64_MAX - max(size - 1, 0), name, least=~_INT64_MAX)
    # arange(first, first + size) would overflow: the end of the range need not be an int64.
    return np.arange(size, dtype=np.int64) + first


def _outside(numbers: NDArray[np.unsignedinteger[Any]], most: int) -> bool:
    # As unsigned integers, negative numbers are very large: one comparison covers both ends.
    return bool((numbers > most).any())
