"""The exceptions that ended writers: stored with their exits, and read with the runs that they ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runstream_consumers.liveness.store import QUERIES
from runstream_consumers.runtime.plugin import Connection, Received
from runstream_consumers.runtime.postgres.queries import columns_of
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_schemas import values
from runstream_schemas.events import ExitEvent, Failure, Role
from runstream_schemas.topics import RunPath

#: The longest stored text of each field, in characters; clients shorten before.
_LONGEST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterFailure:
    """A writer of a run in which an exception ended a writer, and the exception if it ended this one."""

    writer: bytes
    role: str
    label: str = ""
    #: Append times of its first record and of its exit; the latter 0 without an exception.
    first: int = 0
    time: int = 0
    failure: Failure | None = None


async def save(connection: Connection, events: Iterable[Received]) -> None:
    """Store the exceptions of the exits among some events."""
    rows = [
        (run_key(event.run), writer_key(event.writer.id), received.append_time, *_texts(event.failure))
        for received in events
        if isinstance(event := received.event, ExitEvent) and event.failure is not None
    ]
    if rows:
        await connection.execute(QUERIES["add_failures"], *columns_of(rows))


async def read(
    connection: Connection, runs: Sequence[RunPath], *, tracebacks: bool = False
) -> Mapping[RunPath, Sequence[WriterFailure]]:
    """Return the writers of those runs in which an exception ended a writer."""
    paths = {run_key(run): run for run in runs}
    found: dict[RunPath, list[WriterFailure]] = {}
    for row in await connection.fetch(QUERIES["failures_of_runs"], list(paths), tracebacks):
        failure = None
        if row["type"] is not None:
            failure = Failure(type=row["type"], message=row["message"], traceback=row["traceback"])
        writer = WriterFailure(
            writer=row["writer"].bytes,
            role=row["role"],
            label=str(values.load(row["details"])["label"]),
            first=row["first"],
            time=row["time"] or 0,
            failure=failure,
        )
        found.setdefault(paths[row["run"]], []).append(writer)
    return found


def deciding_failure(state: str, writers: Sequence[WriterFailure]) -> WriterFailure | None:
    """Return the exception that ended a run in this state: that of its newest primary, else of its first worker.

    A primary that fails because one of its processes did may report an exit code only. Pure.
    """
    if state not in {"failed", "killed", "preempted", "crashed"}:
        return None
    primaries = [writer for writer in writers if writer.role == Role.PRIMARY.value]
    newest = max(primaries, key=lambda writer: (writer.first, writer.writer), default=None)
    if newest is not None and newest.failure is not None:
        return newest
    others = [writer for writer in writers if writer not in primaries and writer.failure is not None]
    if state != "failed":
        others = [writer for writer in others if not primaries and writer.role == Role.WORKER.value]
    return min(others, key=lambda writer: (writer.role != Role.WORKER.value, writer.time), default=None)


def _texts(failure: Failure) -> list[str]:
    texts = (failure.type, failure.message, failure.traceback)
    return [text[:_LONGEST].replace("\0", "\\0") for text in texts]  # Postgres has no NUL in text
