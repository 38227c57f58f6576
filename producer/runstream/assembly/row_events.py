"""From the appends of one writer to the events that its summary is folded from. Pure.

Rows are put together as the shipper does, by the rules of docs/spool.md; a row that is open is not in the summary yet.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runstream.spool.format import Flag, StreamCode, TopicCode
from runstream.spool.joining import merge
from runstream.spool.plain_values import plain_row
from runstream_schemas import values
from runstream_schemas.events import (
    ChangeEvent,
    Column,
    Entry,
    Event,
    Header,
    Kind,
    LogEvent,
    Operation,
    Record,
    Scope,
    Stream,
    Writer,
)
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runstream.spool.reader import SpoolRecord

#: The folds of one writer do not ask which run they are of.
RUN = RunPath(entity="", project="", run_id="")

_LOG, _HISTORY = int(TopicCode.LOG), int(StreamCode.HISTORY)
_CHANGES = {int(TopicCode.CONFIG): Topic.CONFIG, int(TopicCode.SUMMARY): Topic.SUMMARY}
_OPENS, _CLOSES, _DROPPED = int(Flag.OPENS), int(Flag.CLOSES), int(Flag.DROPPED)
_WHOLE = _OPENS | _CLOSES
_LATE_ROW, _BRANCH = int(Flag.LATE_ROW), int(Flag.BRANCH)
_OPERATIONS = {operation.value: operation for operation in Operation}
_SCOPES = {scope.value: scope for scope in Scope}
_decode = msgspec.msgpack.Decoder().decode
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


class Row:
    """A row: ``order`` and ``time`` are those of the last append that joined it."""

    __slots__ = ("order", "seq", "step", "time", "values")

    def __init__(self, seq: int, step: int, order: int, time: int, values: dict[str, Any]) -> None:
        self.seq, self.step, self.order, self.time, self.values = seq, step, order, time, values

    def to_data(self) -> list[Any]:
        """Return the row as plain data."""
        return [self.seq, self.step, self.order, self.time, self.values]


class _Rows:
    """Rows that are complete, column by column."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.orders: list[int] = []
        self.times: list[int] = []
        self.values: list[dict[str, Any]] = []

    def add(self, step: int, order: int, time: int, values: dict[str, Any]) -> None:
        """Add a row."""
        self.values.append(values)
        self.steps.append(step)
        self.orders.append(order)
        self.times.append(time)

    def block(self, writer: Writer) -> LogEvent:
        """Return the rows as one block."""
        return LogEvent(
            header=Header(kind=Kind.DATA, run=RUN, writer=writer, time=self.times[-1], seq=0, count=len(self.values)),
            stream=Stream.HISTORY,
            orders=np.array(self.orders, dtype=np.int64),
            steps=np.array(self.steps, dtype=np.int64),
            times=np.array(self.times, dtype=np.int64),
            columns=self._columns(),
        )

    def _columns(self) -> list[Column]:
        """Pack the rows as the shipper does: they are made plain only where that is needed."""
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            columns = pack_rows(self.values)
            if all(type(name) is str for column in columns for name in column.path):
                return columns
        return pack_rows([plain_row(row, DEFAULT_LIMITS) for row in self.values])


class Appends:
    """Takes the appends of a writer, and gives the events of what is whole.

    Args:
        writer: The writer.
        waiting: What :meth:`waiting` gave when the appends before these ended.
    """

    def __init__(self, writer: Writer, waiting: Iterable[list[Any]] = ()) -> None:
        self._writer = writer
        rows = [Row(*data) for data in waiting]
        self._open: Row | None = rows[0] if rows else None
        #: Late rows, which are published behind the row that was open before them.
        self._behind: list[Row] = rows[1:]
        self._rows = _Rows()
        self._changes: dict[Topic, list[Record]] = {}

    def take(self, records: Iterable[SpoolRecord]) -> None:
        """Take the next appends; what cannot be read is passed over, as the shipper marks it as missing."""
        for record in records:
            topic, flags, stream, order, _, step, time, payload, _, _ = record
            try:
                if topic == _LOG:
                    if flags == _WHOLE and self._open is None and stream == _HISTORY:
                        self._rows.add(step, order, time, _row_of(payload))  # nearly all of them
                    elif stream == _HISTORY:
                        self._take_part(record)
                elif topic in _CHANGES and not flags & _DROPPED:
                    self._take_change(_CHANGES[topic], record)
            except _UNREADABLE:
                self.give_up_row()

    def waiting(self) -> list[list[Any]]:
        """Return, as plain data, the row that is open and the late rows behind it."""
        return [] if self._open is None else [row.to_data() for row in (self._open, *self._behind)]

    def give_up_row(self) -> None:
        """Forget the row that is open: appends are missing that may have belonged to it."""
        self._open = None
        self.close_row()

    def events(self) -> list[Event]:
        """Return the events of what was taken, and forget it, but for the row that is open."""
        rows, self._rows = self._rows, _Rows()
        changes, self._changes = self._changes, {}
        events: list[Event] = [rows.block(self._writer)] if rows.values else []
        return [*events, *(_change(self._writer, topic, records) for topic, records in changes.items())]

    def _take_part(self, record: SpoolRecord) -> None:
        flags = record.flags
        if flags & (_DROPPED | _BRANCH):
            self.close_row()
            return
        row = self._open
        if flags & _OPENS:
            if not flags & _LATE_ROW:
                self.close_row()
            opened = Row(record.seq, record.step, record.order, record.time, _row_of(record.payload))
            self._open_row(opened, closes=bool(flags & _CLOSES))
        elif row is not None and row.seq == record.seq:
            merge(row.values, _row_of(record.payload))
            row.order, row.time = record.order, record.time
            if flags & _CLOSES:
                self.close_row()

    def _open_row(self, row: Row, *, closes: bool) -> None:
        if self._open is not None:
            self._behind.append(row)
        elif closes:
            self._rows.add(row.step, row.order, row.time, row.values)
        else:
            self._open = row

    def close_row(self) -> None:
        """End the row that is open."""
        complete = [self._open, *self._behind]
        self._open, self._behind = None, []
        for row in complete:
            if row is not None:
                self._rows.add(row.step, row.order, row.time, row.values)

    def _take_change(self, topic: Topic, record: SpoolRecord) -> None:
        entries = tuple(_entries(topic, _decode(record.payload)))
        if entries:
            self._changes.setdefault(topic, []).append(Record(order=record.order, time=record.time, entries=entries))


def _row_of(payload: bytes) -> dict[str, Any]:
    row = _decode(payload)
    if type(row) is not dict:
        raise ValueError("a row is a dict")
    return row


def _entries(topic: Topic, payload: Any) -> Iterator[Entry]:
    """Yield the entries of a change: config has [scope, op, path, value], the summary [op, path, value]."""
    for item in payload if isinstance(payload, list) else ():
        scope, fields = (item[0], item[1:]) if topic is Topic.CONFIG else ("unknown", item)
        operation, path, value = (*fields, None)[:3]
        found = _SCOPES.get(scope, Scope.UNKNOWN)
        if topic is Topic.SUMMARY or found in {Scope.METRIC, Scope.ATTRIBUTE}:
            op = _OPERATIONS.get(operation, Operation.UNKNOWN)
            yield Entry(op=op, path=tuple(path), value=values.dump(value), scope=found)


def _change(writer: Writer, topic: Topic, records: list[Record]) -> ChangeEvent:
    return ChangeEvent(
        header=Header(kind=Kind.DATA, run=RUN, writer=writer, time=records[-1].time, seq=0, count=len(records)),
        topic=topic,
        records=tuple(records),
    )
