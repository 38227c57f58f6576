"""A consumer that stores a line for each record, so that a test can count them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.process import consume
from runstream_consumers.settings import ServerSettings
from runstream_schemas.events import ChangeEvent, LogEvent
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from runstream_consumers.runtime.plugin import Batch, Connection, Consumer, Context
    from runstream_schemas.events import Event

#: A line of the ledger: topic, run id, writer, seq, value.
Line = tuple[str, str, bytes, int, str]

QUICK = Options(
    initial_backoff=0.05,
    max_backoff=0.2,
    recreated_timeout=0.5,
    lag_commit_interval=0.2,
    watchdog_interval=0.5,
    topics_timeout=5.0,
)


class LedgerConsumer:
    """Writes a line for each record; with ``strict``, refuses the config value "bad"."""

    name = "ledger"
    migrations = Path(__file__).parent / "ledger_migrations"

    def __init__(self, *, strict: bool = False, topics: Iterable[Topic] = (Topic.LOG, Topic.CONFIG)) -> None:
        self.strict = strict
        self.topics = frozenset(topics)
        self.partitions: list[LedgerPartition] = []

    def partition(self, number: int, context: Context) -> LedgerPartition:
        """Return the work on one partition."""
        partition = LedgerPartition(number, context, strict=self.strict)
        self.partitions.append(partition)
        return partition


class LedgerPartition:
    """Records how often it was used."""

    def __init__(self, number: int, context: Context, *, strict: bool) -> None:
        self.number = number
        self.context = context
        self.strict = strict
        self.loads = 0
        self.batches: list[Batch] = []

    async def load(self, connection: Connection) -> None:
        """Count the call, and read from the database like a real consumer."""
        self.loads += 1
        await connection.fetchval("select count(*) from entry")

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Write the lines of the batch."""
        self.batches.append(batch)
        lines = [line for item in batch.events for line in lines_of(item.event)]
        if self.strict and (bad := [line for line in lines if line[4] == '"bad"']):
            raise ValueError(f"not a number: {bad[0][4]}")
        await connection.executemany(
            "insert into entry values ($1, $2, encode($3, 'hex')::uuid, $4, $5)",
            lines,
        )

    async def background(self) -> None:
        """Do nothing."""


def lines_of(event: Event) -> list[Line]:
    """Return the lines that an event should have in the ledger."""
    by = event.writer.id
    if isinstance(event, LogEvent):
        values = [str(row) for row in unpack_rows(event)]
    elif isinstance(event, ChangeEvent):
        values = [record.entries[0].value for record in event.records]
    else:
        return [(event.topic.value, event.run.run_id, by, -1, "")]
    return [(event.topic.value, event.run.run_id, by, event.seq + index, value) for index, value in enumerate(values)]


async def read_ledger(dsn: str) -> Counter[Line]:
    """Return each line with its number of copies; nothing if the table does not exist yet."""
    connection = await connect(dsn, application="test")
    try:
        if await connection.fetchval("select to_regclass('ledger.entry')") is None:
            return Counter()
        rows = await connection.fetch("select topic, run_id, writer, seq, value from ledger.entry")
    finally:
        await connection.close()
    return Counter((row["topic"], row["run_id"], row["writer"].bytes, row["seq"], row["value"]) for row in rows)


async def fetch(dsn: str, query: str, *arguments: Any) -> list[Any]:
    """Return the rows of a query."""
    connection = await connect(dsn, application="test")
    try:
        rows: list[Any] = await connection.fetch(query, *arguments)
        return rows
    finally:
        await connection.close()


def settings_of(broker: str, prefix: str, database: str) -> ServerSettings:
    """Return the settings of a consumer of the test's topics and database."""
    return ServerSettings(kafka=broker, postgres=database, prefix=prefix, partitions=2)


@asynccontextmanager
async def consuming(
    consumer: Consumer, settings: ServerSettings, options: Options = QUICK, *, start: str | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a consumer until the block ends; raise its error if it failed."""
    stop = asyncio.Event()
    task = asyncio.create_task(consume(consumer, settings, stop=stop, options=options, start=start))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait([task])
    task.result()
