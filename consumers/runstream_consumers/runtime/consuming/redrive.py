"""Apply quarantined messages again, for example after an update; each success fills the hole it had left."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from runstream_consumers.runtime.consuming.trimming import trim
from runstream_consumers.runtime.faults import is_message_error
from runstream_consumers.runtime.kafka.messages import Message, receive, writer_of
from runstream_consumers.runtime.plugin import Batch, Connection, Consumer, Context
from runstream_consumers.runtime.postgres.store import QUERIES, SinkStore, to_postgres_text
from runstream_schemas.topics import topic_name

log = logging.getLogger(__name__)

_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveResult:
    """How many messages were applied, and how many failed again."""

    applied: int = 0
    failed: int = 0


async def redrive(consumer: Consumer, context: Context, connection: Connection) -> RedriveResult:
    """Apply the quarantined messages of a consumer in order of their quarantine, each in a separate transaction.

    The consumer may run at the same time. A message that fails again stays in quarantine with the new reason. Raises
    the errors of Postgres and Kafka; messages applied before stay applied.
    """
    names = {topic_name(context.prefix, topic): topic for topic in consumer.topics}
    applied = failed = last = 0
    while rows := await connection.fetch(QUERIES["list_quarantine"], context.name, last, _AT_ONCE):
        for row in rows:
            last = row["id"]
            if row["topic"] not in names:
                continue
            message = Message(
                names[row["topic"]], row["topic"], row["partition"], row["offset"], row["append_time"], row["raw"]
            )
            succeeded = await _try(consumer, context, connection, row["id"], message)
            applied += succeeded
            failed += not succeeded
    log.info("%s: %d quarantined messages applied, %d failed again", context.name, applied, failed)
    return RedriveResult(applied=applied, failed=failed)


async def _try(consumer: Consumer, context: Context, connection: Connection, row_id: int, message: Message) -> bool:
    try:
        async with connection.transaction():
            await _apply(consumer, context, connection, row_id, message)
    except Exception as error:
        if connection.is_closed() or not is_message_error(error):
            raise
        reason = to_postgres_text(f"{type(error).__name__}: {error}")
        await connection.execute(QUERIES["explain_quarantine"], row_id, reason)
        return False
    return True


async def _apply(consumer: Consumer, context: Context, connection: Connection, row_id: int, message: Message) -> None:
    names = sorted(topic_name(context.prefix, topic) for topic in consumer.topics)
    store = SinkStore(sink=context.name, partition=message.partition, topics=names)
    await store.lock_offsets(connection)
    if await connection.fetchrow(QUERIES["lock_quarantine"], row_id) is None:
        return  # another redrive was faster
    received = receive(message, context.partitions)
    key = writer_of(received.event)
    progress = {} if key is None else await store.load_progress(connection, [key])
    trimmed = trim(progress, [received])
    for _, error in trimmed.refused:
        raise error
    if trimmed.events:
        partition = consumer.partition(message.partition, context)
        await partition.load(connection)
        await partition.apply(connection, Batch(partition=message.partition, events=trimmed.events))
    await store.save_progress(connection, trimmed.progress)
    await store.add_lost(connection, trimmed.lost_without(()))
    # No offset moves: by this counter the consumer detects that its memory is stale.
    await connection.execute(QUERIES["count_redrive"], context.name, message.partition, message.topic_name)
    await connection.execute(QUERIES["close_quarantine"], row_id)
