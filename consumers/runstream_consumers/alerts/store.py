"""Writes the table of alerts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any
from uuid import UUID

from runstream_consumers.alerts.model import RaisedAlert, repeats
from runstream_consumers.runtime.plugin import Connection, Received
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_schemas import values
from runstream_schemas.events import AlertEvent

QUERIES = load_queries(files("runstream_consumers.alerts") / "queries.sql")

#: A run, and the hash of a full title.
TitleKey = tuple[UUID, bytes]
#: A stored alert, and the offset of the alert that it repeats.
Known = tuple[RaisedAlert, int | None]

_COLUMNS = (
    "partition",
    "offset",
    "run",
    "entity",
    "project",
    "run_id",
    "writer",
    "seq",
    "order",
    "append_time",
    "time",
    "level",
    "wait_ms",
    "title",
    "content",
    "repeat_of",
)


async def add(connection: Connection, partition: int, alerts: Sequence[tuple[Received, AlertEvent]]) -> None:
    """Write alerts of a partition, and mark repeats among them and the stored ones."""
    new: dict[TitleKey, list[RaisedAlert]] = {}
    for received, event in alerts:
        raised = RaisedAlert(offset=received.offset, time=received.append_time, wait=_wait_ms(event) * 1000)
        new.setdefault(_title_key(event), []).append(raised)
    marks: dict[int, int | None] = {}
    changed: dict[int, int | None] = {}
    known = await _known(connection, new)
    for key, alerts_of_title in new.items():
        stored = known.get(key, [])
        found = repeats([*(one for one, _ in stored), *alerts_of_title])
        changed |= {one.offset: found[one.offset] for one, before in stored if found[one.offset] != before}
        marks |= found
    rows = [_row(partition, received, event, marks) for received, event in alerts]
    await connection.copy_records_to_table("alert", records=rows, columns=_COLUMNS)
    if changed:
        # An alert was redriven from quarantine and precedes others of its title.
        await connection.execute(QUERIES["mark"], partition, list(changed), list(changed.values()))


async def _known(connection: Connection, new: Mapping[TitleKey, Sequence[RaisedAlert]]) -> dict[TitleKey, list[Known]]:
    """Return the stored alerts of titles that affect the new ones, or are affected by them."""
    wanted = [(*title, min(one.offset for one in raised)) for title, raised in new.items()]
    found: dict[TitleKey, list[Known]] = {}
    for row in await connection.fetch(QUERIES["known"], *columns_of(wanted)):
        raised = RaisedAlert(offset=row["offset"], time=row["append_time"], wait=row["wait_ms"] * 1000)
        found.setdefault((row["run"], row["title"]), []).append((raised, row["repeat_of"]))
    return found


def _wait_ms(event: AlertEvent) -> int:
    return max(0, event.wait_duration_ms)


def _title_key(event: AlertEvent) -> TitleKey:
    whole = event.full_title or event.title
    return run_key(event.run), hashlib.sha256(whole.encode("utf-8", "surrogatepass")).digest()[:16]


def _row(partition: int, received: Received, event: AlertEvent, marks: Mapping[int, int | None]) -> tuple[Any, ...]:
    run, title = _title_key(event)
    return (
        partition,
        received.offset,
        run,
        event.run.entity,
        event.run.project,
        event.run.run_id,
        writer_key(event.writer.id),
        event.seq,
        event.order,
        received.append_time,
        event.time,
        event.level.value,
        _wait_ms(event),
        title,
        values.dump({"title": event.title, "full_title": event.full_title, "text": event.text}),
        marks[received.offset],
    )
