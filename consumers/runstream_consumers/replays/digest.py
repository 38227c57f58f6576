"""Digests of a consumer's tables, by which those of a replay are compared with those in use.

A digest does not depend on the order of rows, nor on what may differ although the content is equal: numbers that
Postgres generates, times of insertion, and how content is divided. Where a consumer divides its content by the batches
that it received, its content is digested instead of these tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from runstream_consumers.replays.building import Positions, positions
from runstream_consumers.replays.contents import Contents, history_rows, run_documents
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.settings import ServerSettings

_COLUMNS = """
select quote_ident(relname) as table, array_agg(quote_ident(attname) order by attnum) as columns
from pg_class
join pg_namespace on pg_namespace.oid = relnamespace
join pg_attribute on attrelid = pg_class.oid
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where nspname = $1 and relkind in ('r', 'p') and not relispartition and attnum > 0 and not attisdropped
    and attidentity = '' and coalesce(pg_get_expr(adbin, adrelid), '') not in ('now()', 'clock_timestamp()')
group by relname order by relname
"""
#: The sum of 64 bits of the hash of each row.
_DIGEST = """
select count(*) as count,
    coalesce(sum(('x' || left(md5(row::text), 16))::bit(64)::bigint::numeric), 0)::text as sum
from (select {columns} from {schema}.{table}) as row
"""
_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDigest:
    """What a table has: the number of its rows, and a hash over all of them."""

    rows: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkDigest:
    """The digests of a sink's tables, and up to which offsets they have the topics."""

    positions: Positions
    tables: Mapping[str, TableDigest] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """A hash over all tables."""
        text = "\n".join(f"{name} {table.rows} {table.hash}" for name, table in sorted(self.tables.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Divided:
    """Tables whose rows depend on how and when the topics were read, and the contents that are compared instead."""

    tables: frozenset[str]
    contents: Mapping[str, Callable[[Contents], AsyncIterator[bytes]]]
    #: Columns of other tables, by table and name.
    columns: frozenset[tuple[str, str]] = frozenset()


_DIVIDED = {
    "history": _Divided(tables=frozenset({"block", "archive_part", "archive_orphan"}), contents={"rows": history_rows}),
    # The states on the way to the present one depend on which topic was read first, and what waits to be published on
    # when it was.
    "liveness": _Divided(
        tables=frozenset({"outbox", "transition"}), contents={}, columns=frozenset({("run", "transitions")})
    ),
    "summary": _Divided(tables=frozenset({"run", "part", "change"}), contents={"runs": run_documents}),
}


async def digest(settings: ServerSettings, consumer: str, sink: str) -> SinkDigest:
    """Return the digests of the tables of a sink of a consumer, of one moment; raises the errors of the servers."""
    divided = _DIVIDED.get(consumer, _Divided(tables=frozenset(), contents={}))
    async with connected(settings.postgres, application=f"{sink} digest", schema=sink) as connection:
        await connection.execute("set statement_timeout = 0")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = SinkDigest(positions=await positions(connection, sink))
            tables: dict[str, TableDigest] = {}
            for row in await connection.fetch(_COLUMNS, sink):
                if (table := row["table"]) not in divided.tables:
                    columns = [name for name in row["columns"] if (table, name) not in divided.columns]
                    tables[table] = await _of_table(connection, sink, table, columns)
            for name, read in divided.contents.items():
                async with Contents.opened(settings, connection, sink) as contents:
                    tables[name] = await _of_contents(read(contents))
    return SinkDigest(positions=found.positions, tables=tables)


async def _of_table(connection: Connection, schema: str, table: str, columns: list[str]) -> TableDigest:
    query = _DIGEST.format(columns=", ".join(columns), schema=f'"{schema}"', table=table)
    row = await connection.fetchrow(query, timeout=_SECONDS)
    return TableDigest(rows=row["count"], hash=f"{int(row['sum']) % 2**64:016x}")


async def _of_contents(items: AsyncIterator[bytes]) -> TableDigest:
    count = total = 0
    async for item in items:
        count += 1
        total += int.from_bytes(hashlib.blake2b(item, digest_size=8).digest())
    return TableDigest(rows=count, hash=f"{total % 2**64:016x}")
