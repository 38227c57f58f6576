"""What a function receives: a run with its new rows, or its new events of another topic. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from runstream_consumers.runtime.plugin import Received
from runstream_schemas import values
from runstream_schemas.events import Kind, LogEvent, Stream
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath, Topic

_LONGEST_KEY = 200
#: A tick has no run, and nothing is known of dropped and deleted records but their number.
_KINDS = frozenset({Kind.DATA, Kind.BEAT, Kind.GOODBYE})


class Row(dict[str, Any]):
    """A logged row: its values by name, a nested dict as it was logged."""

    def __init__(self, values: dict[str, Any], *, step: int, time: datetime) -> None:
        super().__init__(values)
        self.step = step
        #: Clock of the process that logged it, in UTC.
        self.time = time


@dataclass(slots=True)
class Run:
    """A run that has new rows, or new events of another topic."""

    path: RunPath
    topic: Topic
    #: The requested messages by key, as JSON text.
    messages: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def entity(self) -> str:
        """The entity of the run."""
        return self.path.entity

    @property
    def project(self) -> str:
        """The project of the run."""
        return self.path.project

    @property
    def id(self) -> str:
        """The id of the run in its project."""
        return self.path.run_id

    def once(self, key: str, message: Any) -> None:
        """Have a message delivered, unless the run has ever requested one with this key.

        The message is made of dicts, lists, texts, numbers, bools and None; raises TypeError for anything else. A key
        that is longer than 200 characters is shortened, and its end replaced by a hash.
        """
        if not isinstance(key, str):
            raise TypeError(f"Invalid key {key!r} of a message: expected a text, such as {str(key)!r}")
        if len(key) > _LONGEST_KEY:
            digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            key = f"{key[: _LONGEST_KEY - len(digest)]}{digest}"
        key = key.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
        self.messages.setdefault(key, values.dump(message))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows a function receives."""

    stream: Stream = Stream.HISTORY
    #: Names on the first level; only rows that have one of them. All rows if empty.
    keys: Collection[str] = ()

    def by_run(self, received: Iterable[Received]) -> Iterator[tuple[Run, list[Any]]]:
        """Yield each run and topic that has new items, with these: rows of the topic ``log``, and events of others."""
        found: dict[tuple[RunPath, Topic], list[Any]] = {}
        for item in received:
            event = item.event
            if event.kind not in _KINDS:
                continue
            items = self._rows(event) if isinstance(event, LogEvent) else [event]
            if items:
                found.setdefault((event.run, event.topic), []).extend(items)
        for (path, topic), items in found.items():
            yield Run(path, topic), items

    def _rows(self, event: LogEvent) -> list[Row]:
        if event.stream is not self.stream:
            return []
        if self.keys:
            columns = [column for column in event.columns if column.path[0] in self.keys]
            if not columns:
                return []
            event = replace(event, columns=columns)
        places = zip(unpack_rows(event), event.steps.tolist(), event.times.tolist(), strict=True)
        return [Row(row, step=step, time=_utc(time)) for row, step, time in places if row or not self.keys]


def _utc(microseconds: int) -> datetime:
    """Return a time of a client, whose clock may be far off."""
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)
