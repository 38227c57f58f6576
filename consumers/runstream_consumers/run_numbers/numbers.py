"""The number of a run in its project: given once, the same however often it is asked for."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runstream_consumers.runtime.postgres.migrate import migrate
from runstream_consumers.runtime.postgres.run_key import run_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.topics import RunPath

SCHEMA = "control"

_TAKE = "select control.assign_number($1, $2, $3, $4)"
_REMEMBER = """
insert into control.run_number select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
on conflict do nothing
"""
_BEGIN = "insert into control.project values ($1, $2, $3) on conflict do nothing"

#: The numbers that runs of a project published, as far as the read side knows.
Published = dict["RunPath", int]


async def prepare(connection: Connection) -> None:
    """Make the schema, or bring it to the newest version."""
    await migrate(connection, SCHEMA, files(__package__) / "migrations")


async def assign_number(
    connection: Connection, run: RunPath, published: Callable[[], Awaitable[tuple[Published, int]]]
) -> int:
    """Return the run's number in its project.

    Args:
        connection: May write.
        run: The run.
        published: Called where the project has no counter, be it new or lost: returns the numbers that its runs have
            published, and how many runs it has. A counter begins above both, and these runs keep their numbers.
    """
    arguments = (run_key(run), run.entity, run.project, run.run_id)
    number = await connection.fetchval(_TAKE, *arguments)
    if number is None:
        await _begin_counter(connection, run, *await published())
        number = await connection.fetchval(_TAKE, *arguments)
    return int(number)


async def _begin_counter(connection: Connection, run: RunPath, known: Mapping[RunPath, int], runs: int) -> None:
    columns: list[list[Any]] = [[], [], [], [], []]
    for one, number in known.items():
        for column, value in zip(columns, (run_key(one), one.entity, one.project, one.run_id, number), strict=True):
            column.append(value)
    async with connection.transaction():
        await connection.execute(_REMEMBER, *columns)
        await connection.execute(_BEGIN, run.entity, run.project, max([runs, *known.values()]))
