"""Puts the tables of a replay in the place of those in use, in one transaction."""

from __future__ import annotations

from runstream_consumers.replays.building import QUERIES, replay_name, sink_tables
from runstream_consumers.runtime.plugin import Connection, Consumer, declaration_of

#: Longest wait for the changes of a large consumer.
_SECONDS = 600


async def swap(connection: Connection, replayed: Consumer) -> None:
    """Replace a consumer's tables and progress within the open transaction, which has locked both positions.

    Processes of the consumer that run find their offsets changed and load the new tables. What was sent or published
    stays recorded.
    """
    consumer, name = replayed.name, replay_name(replayed.name)
    if (before_swap := declaration_of(replayed).before_swap) is not None:
        await before_swap(connection, consumer, name)
    await connection.execute(f'drop schema if exists "{consumer}" cascade', timeout=_SECONDS)
    await connection.execute(f'alter schema "{name}" rename to "{consumer}"')
    await connection.execute("delete from runtime.migration where schema = $1", consumer)
    await connection.execute("update runtime.migration set schema = $1 where schema = $2", consumer, name)
    for table in await sink_tables(connection):
        await connection.execute(f"delete from runtime.{table} where sink = $1", consumer, timeout=_SECONDS)  # noqa: S608 — names of our tables
        await connection.execute(
            f"update runtime.{table} set sink = $1 where sink = $2",  # noqa: S608 — names of our tables
            consumer,
            name,
            timeout=_SECONDS,
        )
    for query in ("move_positions", "add_positions", "remove_positions", "keep_unsent"):
        await connection.execute(QUERIES[query], consumer, name, timeout=_SECONDS)
    for table in ("sink_offset", "published", "outbox"):
        await connection.execute(f"delete from runtime.{table} where sink = $1", name, timeout=_SECONDS)  # noqa: S608 — names of our tables
    await connection.execute(QUERIES["remove_replay"], consumer)
