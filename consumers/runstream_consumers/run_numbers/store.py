"""The number of a run in its project: assigned once, and the same for every later request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.topics import RunPath

_TAKE = "select control.take_number($1, $2, $3, $4)"
_REMEMBER = """
insert into control.run_number select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
on conflict do nothing
"""
_BEGIN = "insert into control.project values ($1, $2, $3) on conflict do nothing"

#: The published numbers of a project's runs that the read side knows.
Published = dict[RunPath, int]


async def assign_number(
    connection: Connection, run: RunPath, published: Callable[[], Awaitable[tuple[Published, int]]]
) -> int:
    """Return the run's number in its project; the connection must be able to write.

    ``published`` is called if the project has no counter, because it is new or was lost: it returns the numbers that
    the project's runs have published, and the number of its runs. The counter begins above both, and these runs keep
    theirs.
    """
    arguments = (run_key(run), run.entity, run.project, run.run_id)
    number = await connection.fetchval(_TAKE, *arguments)
    if number is None:
        await _begin_counter(connection, run, *await published())
        number = await connection.fetchval(_TAKE, *arguments)
    return int(number)


async def _begin_counter(connection: Connection, run: RunPath, known: Mapping[RunPath, int], runs: int) -> None:
    rows = [(run_key(one), one.entity, one.project, one.run_id, number) for one, number in known.items()]
    async with connection.transaction():
        if rows:
            await connection.execute(_REMEMBER, *columns_of(rows))
        await connection.execute(_BEGIN, run.entity, run.project, max([runs, *known.values()]))
