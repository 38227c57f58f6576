"""Commands: requests that change a run are published as events, each by a separate writer (docs/http-api.md)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka.errors import KafkaError

from runstream_consumers.api.problems import Unavailable
from runstream_consumers.api.security.access import Principal
from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_schemas import values
from runstream_schemas.attributes import STATE_SET
from runstream_schemas.codec import encode
from runstream_schemas.events import (
    AlertEvent,
    ArtifactEvent,
    ChangeEvent,
    Ending,
    Entry,
    Event,
    ExitEvent,
    ExitState,
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
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath, Topic, partition_of

_CHANGES = (Topic.CONFIG, Topic.SUMMARY)


@dataclass(frozen=True, slots=True)
class Commands:
    """Publishes commands; connects to Kafka with the first one."""

    _producer: KafkaProducer
    _partitions: int

    async def publish(self, event: Event) -> None:
        """Return once the broker has acknowledged the command; raises Unavailable if it does not in time.

        The command may have arrived in spite of the error. Sent again with the same key, it is applied once.
        """
        partition = partition_of(event.run, self._partitions)
        try:
            await self._producer.send(event.topic, partition, encode(event))
        except (KafkaError, OSError) as error:
            raise Unavailable("kafka_unreachable", "Kafka does not accept the command; retry later.") from error


def change_attributes(run: RunPath, key: bytes, attributes: Mapping[str, Any], principal: Principal) -> ChangeEvent:
    """Return the command that sets attributes of a run; ``key`` are 16 bytes that identify the command."""
    (event,) = RunCommand(run, key, principal.id).change(attributes)
    return event


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A command to a run, identified by 16 bytes, and who made it. Its events share one writer."""

    run: RunPath
    key: bytes
    principal: str

    def change(
        self,
        attributes: Mapping[str, Any],
        config: tuple[Mapping[str, Any], Sequence[str]] = ({}, ()),
        summary: tuple[Mapping[str, Any], Sequence[str]] = ({}, ()),
    ) -> list[ChangeEvent]:
        """Return the events that set attributes, and set and remove keys of config and summary; none for no change."""
        described = [
            *_entries(Scope.ATTRIBUTE, attributes, ()),
            *_entries(Scope.CONFIG, *config),
        ]
        parts = [(Topic.CONFIG, described), (Topic.SUMMARY, _entries(Scope.UNKNOWN, *summary))]
        given = [(topic, entries) for topic, entries in parts if entries]
        return [self._event(topic, order, entries) for order, (topic, entries) in enumerate(given)]

    def delete(self) -> list[Event]:
        """Return the events that delete the run, one for each topic."""
        now = time.time_ns() // 1000
        writer = Writer(id=self.key, role=Role.COMMAND)
        header = Header(kind=Kind.DELETED, run=self.run, writer=writer, time=now)
        none = np.empty(0, dtype=np.int64)
        return [
            LogEvent(header=header, stream=Stream.UNKNOWN, orders=none, steps=none, times=none),
            *(ChangeEvent(header=header, topic=topic, principal=self.principal) for topic in _CHANGES),
            FileEvent(header=header, principal=self.principal),
            ArtifactEvent(header=header, principal=self.principal),
            AlertEvent(header=header),
            HeartbeatEvent(header=header),
            ExitEvent(header=header, ending=Ending(state=ExitState.UNKNOWN)),
        ]

    def _event(self, topic: Topic, order: int, entries: Sequence[Entry]) -> ChangeEvent:
        now = time.time_ns() // 1000
        writer = Writer(id=self.key, role=Role.COMMAND)
        return ChangeEvent(
            header=Header(kind=Kind.DATA, run=self.run, writer=writer, time=now, seq=0, count=1),
            topic=topic,
            principal=self.principal,
            records=(Record(order=order, time=now, entries=tuple(entries)),),
        )


def _entries(scope: Scope, changed: Mapping[str, Any], removed: Sequence[str]) -> list[Entry]:
    entries = [
        Entry(op=Operation.SET, path=(name,), value=values.dump(value), scope=scope) for name, value in changed.items()
    ]
    return entries + [Entry(op=Operation.REMOVE, path=(name,), scope=scope) for name in removed]


def set_state(state: str, writers: Sequence[bytes]) -> dict[str, Any]:
    """Return the attribute that sets the state of a run against the writers that are known."""
    return {STATE_SET: {"state": state, "writers": [writer.hex() for writer in writers]}}


def change_file(
    run: RunPath,
    key: bytes,
    path: str,
    principal: Principal,
    *,
    kind: Kind = Kind.DATA,
    size: int = 0,
    sha256: bytes = b"",
    media_type: str = "",
) -> FileEvent:
    """Return the command that adds a file to a run, or deletes it; ``key`` as above."""
    header = Header(kind=kind, run=run, writer=Writer(id=key, role=Role.COMMAND), time=time.time_ns() // 1000)
    return FileEvent(
        header=header,
        path=path,
        policy=FilePolicy.NOW,
        size=size,
        sha256=sha256,
        object_key=object_key(run.entity, sha256) if sha256 else "",
        media_type=media_type,
        principal=principal.id,
    )


def stop_request(writers: Sequence[bytes], time: str) -> dict[str, Any]:
    """Return the value of the attribute ``stop_requested``; it applies to these writers, and to no later ones."""
    return {"time": time, "writers": [writer.hex() for writer in writers]}


def stopped_writers(attributes: Mapping[str, Any]) -> list[str]:
    """Return the writers that are asked to stop, in hexadecimal."""
    request = attributes.get("stop_requested")
    writers = request.get("writers") if isinstance(request, dict) else None
    return [writer for writer in writers if isinstance(writer, str)] if isinstance(writers, list) else []
