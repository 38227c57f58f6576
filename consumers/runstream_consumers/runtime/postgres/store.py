"""The runtime's tables: offsets, progress of writers, quarantine, losses. One method per statement, no decisions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple
from uuid import UUID

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_consumers.runtime.progress.spans import Progress, Span
from runstream_schemas.losses import Loss, Losses, merge
from runstream_schemas.topics import Topic

QUERIES = load_queries(files("runstream_consumers.runtime.postgres") / "sql" / "queries.sql")

#: The numbers of topics in ``writer_progress``; never change one.
TOPIC_NUMBERS = {
    Topic.LOG: 0,
    Topic.CONFIG: 1,
    Topic.SUMMARY: 2,
    Topic.FILE: 3,
    Topic.ARTIFACT: 4,
    Topic.HEARTBEAT: 5,
    Topic.EXIT: 6,
    Topic.ALERT: 7,
    Topic.STATE: 8,
}
TOPIC_OF_NUMBER = {number: topic for topic, number in TOPIC_NUMBERS.items()}

_DEFERRED_COLUMNS = ("run", "topic", "offset", "append_time", "raw")

#: A writer in a topic: run key, writer key, number of the topic.
WriterKey = tuple[UUID, UUID, int]


@dataclass(frozen=True, slots=True)
class StoredOffset:
    """The row of a topic in ``sink_offset``."""

    next: int
    redrives: int


class Rejected(NamedTuple):
    """A message that could not be decoded or applied, in the order of the table's columns."""

    topic: str
    partition: int
    offset: int
    #: Broker append time, microseconds since 1970.
    append_time: int
    stage: str
    reason: str
    raw: bytes | None
    #: The key of its run; that of no run if the message has no valid head.
    run: UUID

    def __str__(self) -> str:
        """Return where the message is and why it failed."""
        return f"{self.topic}[{self.partition}] offset {self.offset}: {self.reason}"


class Deferred(NamedTuple):
    """A message that waits for the turn of its run, in the order of the table's columns."""

    run: UUID
    topic: str
    offset: int
    append_time: int
    raw: bytes


class Waiting(NamedTuple):
    """How many messages of a run are deferred, and their bytes."""

    messages: int = 0
    bytes: int = 0

    def changed(self, messages: int, size: int) -> Waiting:
        """Return the numbers with some messages more or fewer."""
        return Waiting(self.messages + messages, self.bytes + size)


@dataclass(frozen=True, slots=True)
class SinkStore:
    """The rows of one sink in one partition number; ``topics`` are the names in Kafka."""

    sink: str
    partition: int
    topics: Sequence[str]

    async def make_offsets(self, connection: Connection, starts: Mapping[str, int]) -> None:
        """Insert the rows of topics that have none."""
        await connection.execute(
            QUERIES["make_offsets"], self.sink, self.partition, list(starts), list(starts.values())
        )

    async def lock_offsets(self, connection: Connection) -> dict[str, StoredOffset]:
        """Lock the rows of all topics until the transaction ends, in one order, and return them."""
        rows = await connection.fetch(QUERIES["lock_offsets"], self.sink, self.partition, self.topics)
        if len(rows) != len(self.topics):
            raise RuntimeFault(
                f"Expected {len(self.topics)} rows of {self.sink}[{self.partition}] in runtime.sink_offset,"
                f" found {len(rows)}"
            )
        return {row["topic"]: StoredOffset(row["next"], row["redrives"]) for row in rows}

    async def move_offsets(self, connection: Connection, next_offsets: Mapping[str, int]) -> None:
        """Move the offsets of topics; raises RuntimeFault unless each has exactly one row."""
        if not next_offsets:
            return
        status = await connection.execute(
            QUERIES["move_offsets"], self.sink, self.partition, list(next_offsets), list(next_offsets.values())
        )
        if status != f"UPDATE {len(next_offsets)}":
            raise RuntimeFault(
                f"offsets of {self.sink}, partition {self.partition}: {status} for {len(next_offsets)} topics"
            )

    async def reset_offsets(self, connection: Connection, offsets: Mapping[str, int]) -> None:
        """Set the offsets of topics for a rebuild."""
        await connection.execute(
            QUERIES["reset_offsets"], self.sink, self.partition, list(offsets), list(offsets.values())
        )

    async def load_progress(self, connection: Connection, keys: Sequence[WriterKey]) -> dict[WriterKey, Progress]:
        """Return the progress of the writers that have a row."""
        rows = await connection.fetch(QUERIES["load_progress"], self.sink, *columns_of(keys))
        return {
            (row["run"], row["writer"], row["topic"]): Progress(
                row["next"], tuple((hole.lower, hole.upper) for hole in row["holes"])
            )
            for row in rows
        }

    async def save_progress(self, connection: Connection, progress: Mapping[WriterKey, Progress]) -> None:
        """Write the progress of writers."""
        if progress:
            rows = [(*key, value.next, _multirange(value.holes)) for key, value in progress.items()]
            await connection.execute(QUERIES["save_progress"], self.sink, *columns_of(rows))

    async def add_lost(self, connection: Connection, lost: Mapping[WriterKey, Mapping[str, Sequence[Span]]]) -> None:
        """Add records that markers account for, by reason, to the progress of writers, which must be saved."""
        if not lost:
            return
        rows = await connection.fetch(QUERIES["load_lost"], self.sink, *columns_of(lost))
        before = {(row["run"], row["writer"], row["topic"]): parse_losses(row["lost"]) for row in rows}
        after = {key: merge(before.get(key, ()), _by_text(added)) for key, added in lost.items()}
        saved = [(*key, json.dumps([loss.to_json() for loss in losses])) for key, losses in after.items()]
        await connection.execute(QUERIES["save_lost"], self.sink, *columns_of(saved))

    async def quarantine(self, connection: Connection, rejected: Iterable[Rejected]) -> None:
        """Store messages with what is needed to find and to redrive them."""
        rows = [(self.sink, *item._replace(reason=to_postgres_text(item.reason))) for item in rejected]
        if rows:
            await connection.executemany(QUERIES["add_quarantine"], rows)

    async def defer(self, connection: Connection, deferred: Iterable[Deferred]) -> None:
        """Store messages until it is the turn of their runs."""
        if rows := [(self.sink, self.partition, *item) for item in deferred]:
            await connection.copy_records_to_table(
                "deferred", schema_name="runtime", records=rows, columns=("sink", "partition", *_DEFERRED_COLUMNS)
            )

    async def load_deferred(self, connection: Connection) -> dict[UUID, Waiting]:
        """Return what is deferred, by run, those that have waited longest first."""
        rows = await connection.fetch(QUERIES["load_deferred"], self.sink, self.partition, self.topics)
        return {row["run"]: Waiting(row["messages"], row["bytes"]) for row in rows}

    async def take_deferred(self, connection: Connection, run: UUID, *, messages: int, size: int) -> Sequence[Any]:
        """Return the first deferred messages of a run, at least one if there is any."""
        rows: Sequence[Any] = await connection.fetch(
            QUERIES["take_deferred"], self.sink, self.partition, self.topics, run, messages, size
        )
        return rows

    async def settle_deferred(self, connection: Connection, run: UUID, ids: Sequence[int]) -> None:
        """Delete deferred messages of a run, which are applied or quarantined."""
        await connection.execute(QUERIES["settle_deferred"], self.sink, self.partition, run, ids)
        await connection.execute(QUERIES["count_settled"], self.sink, self.partition)

    async def load_failing(self, connection: Connection) -> dict[UUID, float]:
        """Return how many seconds ago messages of runs failed unexpectedly, in any partition of the sink."""
        return {row["run"]: row["age"] for row in await connection.fetch(QUERIES["load_failing"], self.sink)}

    async def save_failing(self, connection: Connection, failures: Mapping[UUID, Rejected]) -> None:
        """Record that messages of runs just failed unexpectedly."""
        errors = [to_postgres_text(str(failure)) for failure in failures.values()]
        await connection.execute(QUERIES["save_failing"], self.sink, list(failures), errors)

    async def forget_failing(self, connection: Connection, window: float) -> None:
        """Delete failures older than ``window`` seconds."""
        await connection.execute(QUERIES["forget_failing"], self.sink, window)

    async def load_deleted_runs(self, connection: Connection) -> frozenset[UUID]:
        """Return the runs of the partition that were deleted."""
        rows = await connection.fetch(QUERIES["load_deleted_runs"], self.sink, self.partition)
        return frozenset(row["run"] for row in rows)

    async def delete_runs(
        self, connection: Connection, deleted: Mapping[UUID, int], dropped: Mapping[UUID, int]
    ) -> None:
        """Delete runs, given with the times of their deletion, from the tables of the sink, and count later records.

        Deleted are the rows of the consumer's tables that have the key of a run in a column ``run``.
        """
        if deleted:
            runs = list(deleted)
            await connection.execute(
                QUERIES["add_deleted_runs"], self.sink, self.partition, runs, list(deleted.values())
            )
            for table in await connection.fetch(QUERIES["tables_of_runs"], self.sink):
                await connection.execute(f"delete from {table['name']} where run = any($1::uuid[])", runs)  # noqa: S608 - quoted
            await connection.execute(QUERIES["delete_progress"], self.sink, runs)
            await connection.execute(QUERIES["delete_quarantine"], self.sink, runs)
        if dropped:
            await connection.execute(QUERIES["count_dropped"], self.sink, list(dropped), list(dropped.values()))

    async def add_loss(self, connection: Connection, topic: str, lost: Span, reason: str) -> None:
        """Record offsets that were deleted before they were read."""
        await connection.execute(QUERIES["add_loss"], self.sink, topic, self.partition, *lost, reason)


def to_postgres_text(text: str) -> str:
    """Return text that Postgres accepts: NUL and lone surrogates as escapes, at most 2 000 characters."""
    return text[:2000].encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def parse_losses(text: str | None) -> Losses:
    """Return the losses in a column ``lost``."""
    return () if text is None else tuple(map(Loss.from_json, json.loads(text)))


def _by_text(lost: Mapping[str, Sequence[Span]]) -> dict[str, list[Span]]:
    """Return spans by reasons that Postgres accepts, of which several may have become equal."""
    found: dict[str, list[Span]] = {}
    for reason, spans in lost.items():
        found.setdefault(to_postgres_text(reason), []).extend(spans)
    return found


def _multirange(holes: Sequence[Span]) -> str:
    return "{}" if not holes else "{" + ",".join(f"[{first},{stop})" for first, stop in holes) + "}"
