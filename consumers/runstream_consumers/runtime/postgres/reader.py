"""Reads how far each consumer has come with each writer of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.runtime.postgres.store import QUERIES, TOPIC_OF_NUMBER, parse_losses
from runstream_schemas.losses import Losses
from runstream_schemas.topics import RunPath, Topic

#: The statement of :func:`is_deleted`; the key of the run is its parameter.
IS_DELETED = QUERIES["is_deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterProgress:
    """The records of a writer that a consumer has applied: all below ``next`` but those in ``holes``."""

    sink: str
    writer: bytes
    topic: Topic
    next: int
    #: Spans of missing records: the first, and the one after the last.
    holes: list[tuple[int, int]]
    #: The applied records that are lost: their writer marked them as dropped.
    losses: Losses = ()


class Quarantined(NamedTuple):
    """Messages of a run that a consumer could not decode or apply, for one reason."""

    sink: str
    #: Kafka's name.
    topic: str
    reason: str
    messages: int


async def quarantined(connection: Connection, run: RunPath) -> list[Quarantined]:
    """Return what is in quarantine of a run, the most messages first, up to 20 reasons."""
    return [Quarantined(*row) for row in await connection.fetch(QUERIES["quarantine_of_run"], run_key(run))]


async def is_deleted(connection: Connection, run: RunPath) -> bool:
    """Return whether a consumer has stored that a run was deleted."""
    return bool(await connection.fetchval(IS_DELETED, run_key(run)))


async def progress(connection: Connection, run: RunPath) -> list[WriterProgress]:
    """Return the progress of every consumer with the writers of a run, by sink, writer and topic."""
    return (await progress_of_runs(connection, [run])).get(run, [])


async def progress_of_runs(connection: Connection, runs: Sequence[RunPath]) -> dict[RunPath, list[WriterProgress]]:
    """Return the progress of every consumer with the writers of several runs."""
    paths = {run_key(run): run for run in runs}
    found: dict[RunPath, list[WriterProgress]] = {}
    for row in await connection.fetch(QUERIES["progress_of_runs"], list(paths)):
        if row["topic"] in TOPIC_OF_NUMBER:
            found.setdefault(paths[row["run"]], []).append(_progress(row))
    return found


async def losses_of_runs(connection: Connection, runs: Sequence[RunPath]) -> dict[RunPath, list[WriterProgress]]:
    """Return the progress of every consumer with those writers of several runs that lost records."""
    found = await connection.fetch(QUERIES["runs_with_losses"], [run_key(run) for run in runs])
    keys = {row["run"] for row in found}
    return await progress_of_runs(connection, [run for run in runs if run_key(run) in keys])


def _progress(row: Any) -> WriterProgress:
    return WriterProgress(
        sink=row["sink"],
        writer=row["writer"].bytes,
        topic=TOPIC_OF_NUMBER[row["topic"]],
        next=row["next"],
        holes=[(hole.lower, hole.upper) for hole in row["holes"]],
        losses=parse_losses(row["lost"]),
    )
