"""The liveness consumer's tables, read and written many rows at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any
from uuid import UUID

from runstream_consumers.liveness.clock import Clock
from runstream_consumers.liveness.model import Changes
from runstream_consumers.liveness.rules import Phase, Qualifier, State
from runstream_consumers.liveness.run import SetState, TrackedRun
from runstream_consumers.liveness.writer import StateVote, TrackedWriter, Transition
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_consumers.runtime.postgres.store import to_postgres_text
from runstream_schemas import values
from runstream_schemas.events import STATE_WRITER, Ending, ExitState, Header, Kind, Role, StateEvent
from runstream_schemas.topics import RunPath, Topic

QUERIES = load_queries(files("runstream_consumers.liveness") / "queries.sql")

#: The fields of a writer that its stored details contain unchanged.
#: Longest duration of the changes when a replay ends.
_SWAP_S = 600
_PLAIN_DETAILS = ("host", "label", "stale", "unreachable", "finishing", "preempting")


async def load_clock(connection: Connection, partition: int, clock: Clock) -> None:
    """Set a clock to the stored values of a partition, if there are any."""
    row = await connection.fetchrow(QUERIES["load_clock"], partition)
    if row is not None:
        clock.available, clock.ticked, clock.number, clock.refused = row


async def open_runs(connection: Connection, partition: int) -> list[TrackedRun]:
    """Return the runs of a partition that have a running writer."""
    return await _with_writers(connection, await connection.fetch(QUERIES["open_runs"], partition))


async def count_runs(connection: Connection, shortest: int, longest: int) -> tuple[int, int]:
    """Return how many runs of all partitions have a running writer, and how many of them are silent.

    Silent is a run with a writer whose silence is at least ``shortest`` and less than ``longest``, microseconds.
    """
    row = await connection.fetchrow(QUERIES["count_runs"], shortest, longest)
    assert row is not None  # noqa: S101 - aggregates always have a row
    return row[0], row[1]


async def some_runs(connection: Connection, runs: Collection[RunPath]) -> list[TrackedRun]:
    """Return the runs that are stored."""
    if not runs:
        return []
    keys = [run_key(run) for run in runs]
    return await _with_writers(connection, await connection.fetch(QUERIES["some_runs"], keys))


async def save(connection: Connection, partition: int, clock: Clock, changes: Changes) -> None:
    """Write the changes of a partition."""
    if changes.clock:
        await connection.execute(
            QUERIES["save_clock"], partition, clock.available, clock.ticked, clock.number, clock.refused
        )
    if changes.runs:
        await connection.execute(QUERIES["save_runs"], partition, *columns_of(map(_run_row, changes.runs.values())))
    if changes.writers:
        await connection.execute(QUERIES["save_writers"], *columns_of(map(_writer_row, changes.writers.values())))
    if changes.pulses:
        await connection.execute(QUERIES["save_pulses"], *columns_of(map(_pulse_row, changes.pulses.values())))
    if changes.transitions:
        await connection.execute(QUERIES["add_transitions"], *columns_of(map(_transition_row, changes.transitions)))
    if outgoing := [_outbox_row(change) for change in changes.transitions if change.writer is None]:
        await connection.execute(QUERIES["add_outbox"], partition, *columns_of(outgoing))


async def unpublished(connection: Connection, partition: int, limit: int) -> list[StateEvent]:
    """Return the transitions of a partition that have to be published, in order for each run."""
    await connection.execute(QUERIES["drop_republished"], partition)
    return [_state_event(row) for row in await connection.fetch(QUERIES["unpublished"], partition, limit)]


async def mark_published(connection: Connection, partition: int, events: Sequence[StateEvent]) -> None:
    """Remove published transitions from the outbox; they are never published again, also not by a replay."""
    if events:
        async with connection.transaction():
            runs = [run_key(event.run) for event in events]
            await connection.execute(QUERIES["save_published"], runs, [event.seq for event in events])
            await connection.execute(QUERIES["drop_republished"], partition)


async def keep_published(connection: Connection, old: str, new: str) -> None:
    """Let rebuilt tables go on with the numbers of the transitions that were published, and publish only what was due.

    How many transitions a run has had depends on which topic was read first; ``old`` and ``new`` are schemas.
    """
    await connection.execute(
        f"""
        update "{new}".run as rebuilt set transitions = known.transitions from "{old}".run as known
        where known.run = rebuilt.run;
        delete from "{new}".outbox;
        insert into "{new}".outbox select * from "{old}".outbox
        """,  # noqa: S608 — names of schemas
        timeout=_SWAP_S,
    )


async def _with_writers(connection: Connection, rows: Sequence[Any]) -> list[TrackedRun]:
    runs: dict[UUID, TrackedRun] = {}
    for row in rows:
        path = RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"])
        qualifiers = frozenset(map(Qualifier, row["qualifiers"]))
        runs[row["run"]] = TrackedRun(
            path=path,
            qualified_state=(State(row["state"]), qualifiers),
            transitions=row["transitions"],
            set_state=restored_set_state(row["set_state"]),
            changed=row["changed"],
        )
    if runs:
        for row in await connection.fetch(QUERIES["writers"], list(runs)):
            run = runs[row["run"]]
            run.writers[row["writer"].bytes] = _writer(run.path, row)
    return list(runs.values())


def _writer(run: RunPath, row: Any) -> TrackedWriter:
    writer = TrackedWriter(
        run=run,
        id=row["writer"].bytes,
        role=Role(row["role"]),
        phase=Phase(row["phase"]),
        first=row["first"],
        last=row["last"],
        number=row["number"],
        heard=row["heard"],
    )
    return restore_details(writer, row["details"])


def _outbox_row(change: Transition) -> tuple[Any, ...]:
    return (
        run_key(change.run),
        change.seq,
        change.time,
        None if change.before is None else change.before.value,
        change.after.value,
        _names(change.qualifiers),
        writer_key(change.cause),
        to_postgres_text(change.reason),
    )


def _state_event(row: Any) -> StateEvent:
    run = RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"])
    return StateEvent(
        header=Header(
            kind=Kind.DATA, run=run, writer=STATE_WRITER, time=row["time"], seq=row["seq"], reason=row["reason"]
        ),
        previous=State(row["previous"] or State.UNKNOWN.value),
        state=State(row["state"]),
        qualifiers=tuple(row["qualifiers"]),
        cause=row["cause"].bytes,
    )


def _run_row(run: TrackedRun) -> tuple[Any, ...]:
    state, qualifiers = run.qualified_state or (State.PENDING, frozenset())
    path = run.path
    return (
        run_key(path),
        path.entity,
        path.project,
        path.run_id,
        state.value,
        _names(qualifiers),
        bool(run.index.running),
        run.transitions,
        run.index.ended or None,
        run.index.clock_offset,
        set_state_text(run.set_state),
        run.changed,
    )


def set_state_text(given: SetState | None) -> str | None:
    """Return a state that was set as JSON text."""
    if given is None:
        return None
    return values.dump({"state": given.state.value, "writers": sorted(writer.hex() for writer in given.writers)})


def restored_set_state(text: str | None) -> SetState | None:
    """Return the state in the text of :func:`set_state_text`."""
    if text is None:
        return None
    given = values.load(text)
    return SetState(State(given["state"]), frozenset(map(bytes.fromhex, given["writers"])))


def _writer_row(writer: TrackedWriter) -> tuple[Any, ...]:
    return (
        run_key(writer.run),
        writer_key(writer.id),
        writer.role.value,
        writer.phase.value,
        writer.state.value,
        _names(writer.qualifiers),
        writer.first,
        dump_details(writer),
    )


def _pulse_row(writer: TrackedWriter) -> tuple[Any, ...]:
    return (run_key(writer.run), writer_key(writer.id), writer.number, writer.heard, writer.last)


def _transition_row(change: Transition) -> tuple[Any, ...]:
    return (
        run_key(change.run),
        None if change.writer is None else writer_key(change.writer),
        change.time,
        None if change.before is None else change.before.value,
        change.after.value,
        to_postgres_text(change.reason),
    )


def _names(qualifiers: Iterable[Qualifier]) -> str:
    return ",".join(sorted(qualifier.value for qualifier in qualifiers))


def dump_details(writer: TrackedWriter) -> str:
    """Return the details of a writer as JSON text."""
    return values.dump(
        {name: getattr(writer, name) for name in _PLAIN_DETAILS}
        | {
            "continues": sorted(earlier.hex() for earlier in writer.continues),
            "heartbeat_vote": list(writer.heartbeat_vote),
            "exit_vote": list(writer.exit_vote),
            "goodbye": _fields(writer.goodbye),
            "exit": _fields(writer.exit),
            "ended": writer.ended,
            "clock": [writer.clock_offset, writer.clock_ahead],
        }
    )


def restore_details(writer: TrackedWriter, text: str) -> TrackedWriter:
    """Set the details of a writer from the text of :func:`dump_details`, and return it."""
    details = values.load(text)
    # Rows of earlier versions contain neither votes nor "preempting", "ended" and "clock".
    for name in _PLAIN_DETAILS:
        setattr(writer, name, details.get(name, False))
    writer.continues = frozenset(map(bytes.fromhex, details["continues"]))
    writer.heartbeat_vote = StateVote(*details.get("heartbeat_vote", ()))
    writer.exit_vote = StateVote(*details.get("exit_vote", ()))
    writer.goodbye = _ending(details["goodbye"])
    writer.exit = _ending(details["exit"])
    writer.ended = details.get("ended", 0)
    writer.clock_offset, writer.clock_ahead = details.get("clock", (None, 0))
    return writer


def _fields(ending: Ending | None) -> dict[str, Any] | None:
    if ending is None:
        return None
    counts = {topic.value: count for topic, count in ending.counts.items()}
    return asdict(ending) | {"state": ending.state.value, "counts": counts}


def _ending(fields: Mapping[str, Any] | None) -> Ending | None:
    if fields is None:
        return None
    return Ending(
        state=ExitState(fields["state"]),
        exit_code=fields["exit_code"],
        signal=fields["signal"],
        reason=fields["reason"],
        counts={Topic(name): count for name, count in fields["counts"].items()},
    )
