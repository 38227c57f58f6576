"""Reads states from the liveness consumer's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runstream_consumers.liveness.store import QUERIES
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import values
from runstream_schemas.topics import RunPath

#: The statement that returns the writers of a run, whose key is its parameter.
WRITERS = QUERIES["writers_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterState:
    """The state of a writer, and how it ended if that was reported."""

    writer: bytes
    role: str
    state: str
    qualifiers: list[str]
    #: Append time of its last beat, exit or change of config, microseconds since 1970.
    last_time: int
    host: str
    label: str
    #: None or -1 if unknown.
    exit_code: int | None
    #: 0 if none; None or -1 if unknown.
    signal: int | None
    reason: str
    #: The number of records it appended, by topic name; None until its end is known.
    counts: dict[str, int] | None
    #: The writers that it continues.
    continues: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of a run's state; ``from_state`` is None for the first."""

    #: Append time of the record that caused it, microseconds since 1970.
    time: int
    from_state: str | None
    to_state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """The state of a run, with its qualifiers in alphabetical order."""

    state: str
    qualifiers: list[str]
    writers: list[WriterState] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    #: Append time of the record that caused the state, microseconds since 1970.
    changed: int = 0
    #: When the run ended by the clock of its processes, microseconds since 1970; None if not known.
    ended: int | None = None
    #: How far that clock is ahead of the broker's, microseconds; None if not known.
    clock_offset: int | None = None


async def state(connection: Connection, run: RunPath) -> RunState | None:
    """Return the state of a run with its writers and transitions, or None if nothing of it has arrived."""
    key = run_key(run)
    row = await connection.fetchrow(QUERIES["state"], key)
    if row is None:
        return None
    return RunState(
        state=row["state"],
        qualifiers=row["qualifiers"],
        writers=[_writer(found) for found in await connection.fetch(WRITERS, key)],
        transitions=[
            Transition(time=found["time"], from_state=found["before"], to_state=found["after"], reason=found["reason"])
            for found in await connection.fetch(QUERIES["transitions_of"], key)
        ],
        ended=row["ended"],
        clock_offset=row["clock_offset"],
    )


async def states(connection: Connection, runs: Sequence[RunPath]) -> dict[RunPath, RunState]:
    """Return the states of runs without writers and transitions; runs of which nothing has arrived are left out."""
    paths = {run_key(run): run for run in runs}
    rows = await connection.fetch(QUERIES["states"], list(paths))
    return {
        paths[row["run"]]: RunState(
            state=row["state"],
            qualifiers=row["qualifiers"],
            changed=row["changed"] or 0,
            ended=row["ended"],
            clock_offset=row["clock_offset"],
        )
        for row in rows
    }


async def ended_since(
    connection: Connection, since: int, *, entity: str | None = None, project: str | None = None
) -> dict[RunPath, str]:
    """Return the states of the runs that have ended since a time, microseconds since 1970."""
    rows = await connection.fetch(QUERIES["ended_since"], since, entity, project)
    return {RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"]): row["state"] for row in rows}


async def writers_of_runs(connection: Connection, runs: Sequence[RunPath]) -> dict[RunPath, list[WriterState]]:
    """Return the writers of several runs."""
    paths = {run_key(run): run for run in runs}
    found: dict[RunPath, list[WriterState]] = {}
    for row in await connection.fetch(QUERIES["writers_of_runs"], list(paths)):
        found.setdefault(paths[row["run"]], []).append(_writer(row))
    return found


def _writer(row: Any) -> WriterState:
    details = values.load(row["details"])
    ending = details["goodbye"] or details["exit"] or {}
    return WriterState(
        writer=row["writer"].bytes,
        role=row["role"],
        state=row["state"],
        qualifiers=row["qualifiers"],
        last_time=row["last"],
        host=details["host"],
        label=details["label"],
        exit_code=ending.get("exit_code"),
        signal=ending.get("signal"),
        reason=ending.get("reason", ""),
        counts=ending.get("counts"),
        continues=[bytes.fromhex(earlier) for earlier in details["continues"]],
    )
