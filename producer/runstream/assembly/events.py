"""From blocks to messages: the encoded events of a writer, each within the size that the broker accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream.assembly.block import Block
from runstream.spool.fitting import fit_change, fit_row
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.plain_values import plain, plain_row
from runstream_schemas import events, values
from runstream_schemas.codec import encode
from runstream_schemas.limits import Limits
from runstream_schemas.rows import Path, pack_rows, weight
from runstream_schemas.topics import RunPath, Topic

TOPICS: Mapping[int, Topic] = {int(code): Topic[code.name] for code in TopicCode}
#: What Kafka adds to a message in a record batch, rounded up.
FRAME_BYTES = 1024

#: Errors that building the event of a damaged or unsupported record can raise.
UNPUBLISHABLE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)

_STREAMS: Mapping[int, events.Stream] = {code: events.Stream[code.name] for code in StreamCode if code}
_OPERATIONS = {operation.value: operation for operation in events.Operation}
_SCOPES = {scope.value: scope for scope in events.Scope}
#: The events of these topics, and the field that a record must have.
_PLAIN_EVENTS: Mapping[Topic, tuple[type[events.PlainEvent], str]] = {
    Topic.FILE: (events.FileEvent, "path"),
    Topic.ARTIFACT: (events.ArtifactEvent, "name"),
    Topic.ALERT: (events.AlertEvent, "title"),
}
#: The fields that their events have besides the header.
_FIELDS: Mapping[Topic, Sequence[str]] = {
    topic: [item.name for item in fields(kind) if item.name != "header"] for topic, (kind, _) in _PLAIN_EVENTS.items()
}
#: The fields whose values are symbols of an enum.
_SYMBOLS: Mapping[str, type[Enum]] = {
    "policy": events.FilePolicy,
    "action": events.ArtifactAction,
    "level": events.AlertLevel,
}
#: What a marker of a lost record names.
_MARKER_NAMES: Mapping[Topic, Sequence[str]] = {Topic.FILE: ("path",), Topic.ARTIFACT: ("name", "type")}
#: Keeps a value of the row of a block, by its path, in a file; returns a reference to that, or None if it cannot.
KeepOfRow = Callable[[Block, Sequence[str], Any], Any]
_NO_NUMBERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded event: records ``seq`` to ``stop`` (exclusive) of a topic."""

    topic: Topic
    seq: int
    stop: int
    payload: bytes
    #: The columns of a block of rows.
    columns: Sequence[events.Column] = ()
    #: Of a marker: why the records are lost.
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The run and the writer that all events of a writer name."""

    run: RunPath
    writer: events.Writer

    def header(self, kind: events.Kind, block: Block, time: int, order: int = 0) -> events.Header:
        """Return the header of the event of a block; a block of rows or changes has an order for each."""
        return events.Header(
            kind=kind,
            run=self.run,
            writer=self.writer,
            time=time,
            seq=block.seq,
            count=block.count,
            order=order,
            reason=block.reason,
        )


def create_messages(
    block: Block, envelope: Envelope, limits: Limits, *, now: int, keep: KeepOfRow | None = None
) -> Iterator[Message]:
    """Yield the messages of a block: one, or several if one would be too large for the broker.

    A single record that is too large, or that the contract cannot represent, becomes a message of kind dropped with the
    reason; the others are kept. With ``keep``, the largest values of a row are replaced with references.
    """
    try:
        event = event_of(block, envelope, limits, now=now)
        payload = encode(event)
    except UNPUBLISHABLE as error:
        if block.reason:
            raise
        reason = f"cannot be represented in the contract: {type(error).__name__}: {error}"[:500]
        reason = _storable(reason)  # it may quote the value
    else:
        columns = event.columns if isinstance(event, events.LogEvent) else ()
        names = weight(columns, block.count)
        if len(payload) <= limits.message_bytes - FRAME_BYTES and names <= limits.block_weight:
            yield Message(TOPICS[block.topic], block.seq, block.stop, payload, columns, block.reason)
            return
        # Without its size, so that the losses of many records have one reason.
        most = f"{limits.message_bytes - FRAME_BYTES} bytes or {limits.block_weight} names of values"
        reason = f"too large for a message: more than {most}"
        if block.count == 1 and (smaller := _fitted(block, limits, keep)) is not None:
            yield from create_messages(smaller, envelope, limits, now=now, keep=keep)
            return
    for part in halves(block) if block.count > 1 else (_absent(block, reason),):
        yield from create_messages(part, envelope, limits, now=now, keep=keep)


def _fitted(block: Block, limits: Limits, keep: KeepOfRow | None) -> Block | None:
    """Return the block of one record with what a message has no room for replaced; None if that does not help."""
    topic = TOPICS[block.topic]
    missing: list[str] = []
    given: Any = None
    fitted: Any = None
    if topic is Topic.LOG and not block.is_branch:
        given = plain_row(block.values[0], limits)
        fitted, missing = fit_row(given, limits, keep and partial(keep, block))
    elif topic in {Topic.CONFIG, Topic.SUMMARY}:
        fitted, missing = fit_change(block.values[0], limits)
    return replace(block, values=[fitted]) if missing or (topic is Topic.LOG and fitted is not given) else None


def event_of(block: Block, envelope: Envelope, limits: Limits, *, now: int) -> events.Event:
    """Return the event of a block; ``now`` is the time of a marker, in microseconds since 1970."""
    topic = TOPICS[block.topic]
    if block.reason:
        return _marker(topic, block, envelope, now)
    if topic is Topic.LOG:
        return _branch(block, envelope) if block.is_branch else _rows(block, envelope, limits)
    if topic in {Topic.CONFIG, Topic.SUMMARY}:
        return _changes(topic, block, envelope, limits)
    header = envelope.header(events.Kind.DATA, block, block.times[-1], block.orders[0])
    record = {name: value for name, value in block.values[0].items() if name not in block.extra}
    return _plain_event(topic, header, {**plain_row(record, limits), **block.extra})


def _rows(block: Block, envelope: Envelope, limits: Limits) -> events.LogEvent:
    return events.LogEvent(
        header=envelope.header(events.Kind.DATA, block, block.times[-1]),
        stream=_stream(block),
        orders=np.array(block.orders, dtype=np.int64),
        steps=np.array(block.steps, dtype=np.int64),
        times=np.array(block.times, dtype=np.int64),
        columns=_columns(block, limits),
    )


def _branch(block: Block, envelope: Envelope) -> events.LogEvent:
    """Return the event of a branch; a run that is named only by its id is in the same project."""
    run_id = block.values[0].get("run_id") or envelope.run.run_id
    origin = RunPath(entity=envelope.run.entity, project=envelope.run.project, run_id=str(run_id))
    header = envelope.header(events.Kind.BRANCH, block, block.times[0]).with_records(block.seq, 1)
    return _without_rows(block, header, events.Branch(run=origin, step=block.steps[0]))


def _without_rows(block: Block, header: events.Header, branch: events.Branch | None = None) -> events.LogEvent:
    none = _NO_NUMBERS
    return events.LogEvent(header=header, stream=_stream(block), orders=none, steps=none, times=none, branch=branch)


def _stream(block: Block) -> events.Stream:
    return _STREAMS.get(block.stream, events.Stream.HISTORY)


def _columns(block: Block, limits: Limits) -> list[events.Column]:
    """Pack the rows; they are converted to plain values only if needed, which is rare."""
    if block.largest <= limits.string_length:
        try:
            columns = pack_rows(block.values)
        except (TypeError, ValueError, RecursionError):
            pass
        else:
            if all(_fits(column.path, limits.depth, limits.key_length) for column in columns):
                return columns
    return pack_rows([plain_row(row, limits) for row in block.values])


@lru_cache(maxsize=1024)
def _fits(path: Path, depth: int, length: int) -> bool:
    return len(path) <= depth and all(type(name) is str and len(name) <= length for name in path)


def _changes(topic: Topic, block: Block, envelope: Envelope, limits: Limits) -> events.ChangeEvent:
    records = tuple(
        events.Record(order=order, time=time, entries=tuple(_entries(topic, payload, limits)))
        for order, time, payload in zip(block.orders, block.times, block.values, strict=True)
    )
    return events.ChangeEvent(
        header=envelope.header(events.Kind.DATA, block, block.times[-1]), topic=topic, records=records
    )


def _entries(topic: Topic, payload: Any, limits: Limits) -> Iterator[events.Entry]:
    """Yield the entries of a change; config has [scope, op, path, value], the summary [op, path, value]."""
    for item in payload if isinstance(payload, list) else ():
        scope, change = (item[0], item[1:]) if topic is Topic.CONFIG else ("unknown", item)
        operation, path, value = (*change, None)[:3]
        yield events.Entry(
            op=_OPERATIONS.get(operation, events.Operation.UNKNOWN),
            path=tuple(str(plain(name, limits, limits.depth)) for name in path),
            value=values.dump(plain(value, limits, limits.depth)),
            scope=_SCOPES.get(scope, events.Scope.UNKNOWN),
        )


def _plain_event(topic: Topic, header: events.Header, record: Mapping[str, Any]) -> events.PlainEvent:
    kind, required = _PLAIN_EVENTS[topic]
    if required not in record:
        raise ValueError(f"missing fields: {required}")
    known = {name: record[name] for name in _FIELDS[topic] if name in record}
    for name in known.keys() & _SYMBOLS.keys():
        known[name] = _SYMBOLS[name](known[name])
    return kind(header=header, **known)


def _marker(topic: Topic, block: Block, envelope: Envelope, now: int) -> events.Event:
    header = envelope.header(events.Kind.DROPPED, block, now)
    if topic is Topic.LOG:
        return _without_rows(block, header)
    if topic in {Topic.CONFIG, Topic.SUMMARY}:
        return events.ChangeEvent(header=header, topic=topic)
    return _named_marker(topic, header, block)


def _named_marker(topic: Topic, header: events.Header, block: Block) -> events.PlainEvent:
    """Return the marker of a record that is lost, with its names if it could be read."""
    record = block.values[0] if block.values and isinstance(block.values[0], dict) else {}
    known = {name: record[name] for name in _MARKER_NAMES.get(topic, ()) if isinstance(record.get(name), str)}
    # Encoded as the reason is: a name that is not UTF-8 may be why the record is lost.
    names: dict[str, Any] = {name: _storable(text) for name, text in known.items()}
    if topic is Topic.FILE and (paths := _paths_of(record)):
        names["files"] = [events.FileContent(path=path, reason=header.reason) for path in paths]
    if record.get("policy") in {policy.value for policy in events.FilePolicy} and topic is Topic.FILE:
        names["policy"] = events.FilePolicy(record["policy"])
    return _PLAIN_EVENTS[topic][0](header=header, **names)


def _paths_of(record: Mapping[str, Any]) -> list[str]:
    """Return the names of the files of a record that names several."""
    files = record.get("files")
    return [_storable(str(file[0])) for file in files] if isinstance(files, list) else []


def _storable(text: str) -> str:
    """Return a text that an event can hold: what is not UTF-8 is written with escapes."""
    return text.encode(errors="backslashreplace").decode()


def halves(block: Block) -> tuple[Block, Block]:
    """Return the two halves of a block."""
    middle = block.count // 2
    return _slice(block, 0, middle), _slice(block, middle, block.count)


def _slice(block: Block, start: int, stop: int) -> Block:
    return replace(
        block,
        seq=block.seq + start,
        orders=block.orders[start:stop],
        steps=block.steps[start:stop],
        times=block.times[start:stop],
        values=block.values[start:stop],
        size=block.size * (stop - start) // block.count,
    )


def _absent(block: Block, reason: str) -> Block:
    count = block.count
    return replace(block, orders=[], steps=[], times=[], values=[], reason=reason, missing=count, is_branch=False)
