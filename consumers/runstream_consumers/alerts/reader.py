"""Reads alerts from the alerts consumer's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runstream_consumers.alerts.store import QUERIES
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import values
from runstream_schemas.topics import RunPath

#: The columns that an alert has unchanged.
_PLAIN_COLUMNS = ("partition", "offset", "order", "append_time", "time", "wait_ms", "repeats")

#: Append time, partition and offset of an alert: where the next page of a list begins.
AlertCursor = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert; times are microseconds since 1970."""

    run: RunPath
    writer: bytes
    partition: int
    offset: int
    #: The order of the append in its writer.
    order: int
    #: When the broker appended it.
    append_time: int
    #: When it was raised, by the client's clock.
    time: int
    title: str
    #: The title before it was shortened for display.
    full_title: str
    text: str
    #: INFO, WARN, ERROR or UNKNOWN.
    level: str
    wait_ms: int
    #: Whether it is within the wait duration of a shown alert of its title.
    repeat: bool
    #: The number of its repeats.
    repeats: int

    @property
    def place(self) -> AlertCursor:
        """The argument ``after`` of :func:`of_project` that continues after this alert."""
        return self.append_time, self.partition, self.offset


async def of_run(
    connection: Connection, run: RunPath, *, repeats: bool = False, limit: int = 1000, after: int = -1
) -> list[Alert]:
    """Return the alerts of a run after an offset, in order; with repeats only on request."""
    return _alerts(await connection.fetch(QUERIES["of_run"], run_key(run), repeats, after, limit))


async def of_project(
    connection: Connection,
    *,
    entity: str | None = None,
    project: str | None = None,
    repeats: bool = False,
    limit: int = 50,
    after: AlertCursor | None = None,
) -> list[Alert]:
    """Return the alerts of all runs of a project after a cursor, newest first; with repeats only on request."""
    place = (None, None, None) if after is None else after
    return _alerts(await connection.fetch(QUERIES["of_project"], entity, project, repeats, *place, limit))


def _alerts(rows: Sequence[Any]) -> list[Alert]:
    return [_alert(row, values.load(row["content"])) for row in rows]


def _alert(row: Any, content: dict[str, str]) -> Alert:
    return Alert(
        run=RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"]),
        writer=row["writer"].bytes,
        title=content["title"],
        full_title=content["full_title"] or content["title"],
        text=content["text"],
        level=row["level"].upper(),
        repeat=row["repeat_of"] is not None,
        **{name: row[name] for name in _PLAIN_COLUMNS},
    )
