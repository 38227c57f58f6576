"""Runs whose events are built by hand, so that a test knows exactly what was published."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from aiokafka import AIOKafkaProducer

from runstream_schemas import codec, values
from runstream_schemas.events import (
    AlertEvent,
    AlertLevel,
    Branch,
    ChangeEvent,
    Ending,
    Entry,
    Event,
    ExitEvent,
    ExitState,
    Failure,
    FileEvent,
    FilePolicy,
    Header,
    HeartbeatEvent,
    Kind,
    LogEvent,
    Operation,
    Record,
    Role,
    Scope,
    Stream,
    Writer,
)
from runstream_schemas.rows import pack_rows
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: The time of the first record: 2026-01-02 03:04:05 UTC, microseconds.
STARTED = 1_767_323_045_000_000
_STEP = 1_000_000


@dataclass(slots=True)
class Recording:
    """The events of one writer of a run, in order; ``sent`` has those that are not published yet."""

    run: RunPath
    id: bytes
    role: Role = Role.PRIMARY
    label: str = ""
    continues: tuple[bytes, ...] = ()
    sent: list[Event] = field(default_factory=list)
    #: The times of the start, by its own clock, and of the end.
    started: int = STARTED
    ended: int = STARTED
    #: By the keys of the object store.
    contents: dict[str, bytes] = field(default_factory=dict)
    _orders: int = 0
    _seqs: dict[Topic, int] = field(default_factory=dict)

    @property
    def writer(self) -> Writer:
        """The writer of the events."""
        return Writer(id=self.id, role=self.role, continues=self.continues)

    @property
    def counts(self) -> dict[str, int]:
        """The number of records for each topic, including the exit."""
        return {topic.value: count for topic, count in self._seqs.items()}

    def start(self, config: Mapping[str, Any], **attributes: Any) -> Recording:
        """Record the attributes of the writer, the config and the metadata."""
        known = {"label": self.label, "start_time": self.started / 1_000_000, **attributes}
        entries = [_entry(Scope.ATTRIBUTE, name, value) for name, value in known.items()]
        entries += [_entry(Scope.CONFIG, name, value) for name, value in config.items()]
        entries += [_entry(Scope.METADATA, "host", "node-7")]
        return self._change(Topic.CONFIG, tuple(entries))

    def define(self, name: str, **options: Any) -> Recording:
        """Define a metric."""
        definition = {"name": name, "glob": "*" in name, "summary": None, "goal": None, "overwrite": False, **options}
        return self._change(Topic.CONFIG, (_entry(Scope.METRIC, name, definition),))

    def chart(self, key: str, definition: str, table: str, title: str, **fields: str) -> Recording:
        """Define a chart of a table."""
        chart = {"definition": definition, "fields": fields, "strings": {"title": title}, "table": table}
        entry = Entry(op=Operation.SET, path=("charts", key), value=values.dump(chart), scope=Scope.ATTRIBUTE)
        return self._change(Topic.CONFIG, (entry,))

    def summary(self, **assigned: Any) -> Recording:
        """Assign values to the summary by hand."""
        entries = tuple(_entry(Scope.UNKNOWN, name, value) for name, value in assigned.items())
        return self._change(Topic.SUMMARY, entries)

    def rows(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        first_step: int = 0,
        stream: Stream = Stream.HISTORY,
        seq: int | None = None,
    ) -> Recording:
        """Log rows, a second apart. A ``seq`` beyond the next one skips records."""
        count = len(rows)
        first = self._reserve(Topic.LOG, count) if seq is None else seq
        self._seqs[Topic.LOG] = first + count
        times = STARTED + np.arange(first_step, first_step + count, dtype=np.int64) * _STEP
        event = LogEvent(
            header=self._header(time=int(times[-1]), seq=first, count=count),
            stream=stream,
            orders=np.arange(self._orders, self._orders + count, dtype=np.int64),
            steps=np.arange(first_step, first_step + count, dtype=np.int64),
            times=times,
            columns=pack_rows(rows),
        )
        self._orders += count
        self.sent.append(event)
        return self

    def branch(self, origin: RunPath, step: int) -> Recording:
        """Branch from a run at a step."""
        none = np.empty(0, dtype=np.int64)
        self.sent.append(
            LogEvent(
                header=self._header(Kind.BRANCH, seq=self._reserve(Topic.LOG, 1), count=1),
                stream=Stream.HISTORY,
                orders=none,
                steps=none,
                times=none,
                branch=Branch(run=origin, step=step),
            )
        )
        self._orders += 1
        return self

    def alert(self, title: str, text: str = "", *, level: str = "info", wait_ms: int = 60_000) -> Recording:
        """Raise an alert."""
        self.sent.append(
            AlertEvent(
                header=self._header(seq=self._reserve(Topic.ALERT, 1), order=self._orders),
                title=title,
                text=text,
                level=AlertLevel(level),
                wait_duration_ms=wait_ms,
            )
        )
        self._orders += 1
        return self

    def file(self, path: str, content: bytes | None = None, *, lost: str = "") -> Recording:
        """Record a file: its content, which is in ``contents``, or why it is lost; else it is announced."""
        sha256 = b"" if content is None else hashlib.sha256(content).digest()
        if content is not None:
            self.contents[object_key(self.run.entity, sha256)] = content
        kind = Kind.DROPPED if lost else Kind.DATA
        self.sent.append(
            FileEvent(
                header=self._header(kind, seq=self._reserve(Topic.FILE, 1), reason=lost),
                path=path,
                policy=FilePolicy.NOW,
                size=len(content or b""),
                sha256=sha256,
                object_key=object_key(self.run.entity, sha256) if sha256 else "",
            )
        )
        return self

    def leave_out(self, count: int) -> Recording:
        """Use sequence numbers of rows that are not published."""
        self._reserve(Topic.LOG, count)
        return self

    def drop(self, count: int, reason: str, topic: Topic = Topic.LOG) -> Recording:
        """Mark rows or changes as dropped."""
        header = self._header(Kind.DROPPED, seq=self._reserve(topic, count), count=count, reason=reason)
        none = np.empty(0, dtype=np.int64)
        is_log = topic is Topic.LOG
        log = LogEvent(header=header, stream=Stream.HISTORY, orders=none, steps=none, times=none)
        self.sent.append(log if is_log else ChangeEvent(header=header, topic=topic))
        self._orders += count
        return self

    def beat(self, number: int = 0) -> Recording:
        """Send a heartbeat."""
        self.sent.append(
            HeartbeatEvent(
                header=self._header(Kind.BEAT, order=self._orders),
                number=number,
                trainer_alive=True,
                interval_ms=1000,
                host="node-7",
                label=self.label,
            )
        )
        return self

    def exit(
        self,
        state: ExitState = ExitState.FINISHED,
        *,
        exit_code: int = 0,
        reason: str = "",
        failure: Failure | None = None,
    ) -> Recording:
        """End the writer, with the number of records for each topic."""
        self._reserve(Topic.EXIT, 1)
        ending = Ending(state=state, exit_code=exit_code, reason=reason, counts=dict(self._seqs))
        exit_ = ExitEvent(
            header=self._header(time=self.ended, order=self._orders),
            ending=ending,
            failure=failure,
        )
        goodbye = HeartbeatEvent(
            header=self._header(Kind.GOODBYE, order=self._orders + 1),
            ending=ending,
        )
        self._orders += 1
        self.sent += [exit_, goodbye]
        return self

    def _change(self, topic: Topic, entries: tuple[Entry, ...]) -> Recording:
        record = Record(order=self._orders, time=self.started, entries=entries)
        self._orders += 1
        self.sent.append(
            ChangeEvent(
                header=self._header(seq=self._reserve(topic, 1), count=1),
                topic=topic,
                records=(record,),
            )
        )
        return self

    def _header(
        self,
        kind: Kind = Kind.DATA,
        *,
        time: int = STARTED,
        seq: int = 0,
        count: int = 1,
        order: int = 0,
        reason: str = "",
    ) -> Header:
        return Header(
            kind=kind, run=self.run, writer=self.writer, time=time, seq=seq, count=count, order=order, reason=reason
        )

    def _reserve(self, topic: Topic, count: int) -> int:
        first = self._seqs.get(topic, 0)
        self._seqs[topic] = first + count
        return first


async def publish(broker: str, prefix: str, partitions: int, recordings: Iterable[Recording]) -> None:
    """Append the recorded events to their topics, and remove them from the recordings."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
    await producer.start()
    try:
        for recording in recordings:
            partition = partition_of(recording.run, partitions)
            for event in recording.sent:
                await producer.send(topic_name(prefix, event.topic), codec.encode(event), partition=partition)
            recording.sent.clear()
    finally:
        await producer.stop()


def _entry(scope: Scope, name: str, value: Any) -> Entry:
    return Entry(op=Operation.SET, path=(name,), value=values.dump(value), scope=scope)
