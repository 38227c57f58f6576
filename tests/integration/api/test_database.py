"""The API's connections to Postgres: few, read-only, bounded in time, and replaced when they break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from runstream_consumers.api.database import PoolLimits, open_database
from runstream_consumers.api.problems import Problem, Unavailable, problem_of
from tests.conftest import run_aside
from tests.polling import eventually

if TYPE_CHECKING:
    from runstream_deploy.services.postgres import Postgres
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_TIGHT = PoolLimits(connections=1, acquire_s=0.2, statement_s=0.3)


async def test_a_pool_that_is_used_up_is_told_in_time(database: str) -> None:
    """Who finds no free connection within the deadline gets an answer, and the next one a connection."""
    async with open_database(database, _TIGHT) as opened:
        async with opened.connection():
            with pytest.raises(Unavailable) as told:
                async with opened.connection():
                    pytest.fail("there is only one connection")
        assert (told.value.status, told.value.code) == (503, "database_busy")
        async with opened.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_statement_that_takes_too_long_is_ended(database: str) -> None:
    """Postgres itself ends the statement; the connection serves the next request."""
    async with open_database(database, _TIGHT) as opened:
        with pytest.raises(asyncpg.QueryCanceledError) as ended:
            async with opened.connection() as connection:
                await connection.execute("SELECT pg_sleep(10)")
        assert problem_of(ended.value).code == "too_slow"
        async with opened.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_nothing_can_be_written(database: str) -> None:
    """A reader that tried to change something is refused by the database."""
    async with open_database(database, _TIGHT) as opened, opened.connection() as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE written (a int)")


async def test_a_database_that_is_not_there_is_told() -> None:
    """Opening connects to nothing; the first use says what is wrong."""
    async with open_database("postgresql://nobody@127.0.0.1:1/nothing", _TIGHT) as opened:
        with pytest.raises(OSError, match="Connect call failed") as refused:
            async with opened.connection():
                pytest.fail("nothing listens there")
    assert problem_of(refused.value).code == "database_unreachable"


def test_broken_connections_are_replaced(served: Served, digits: Recording, postgres: Postgres) -> None:
    """After every connection of the API was ended by the server, requests are answered again."""
    assert served.run(digits)["id"] == "digits"
    run_aside(_end_connections(postgres.address(served.prefix)))
    eventually(lambda: served.run(digits)["id"] == "digits", within=10)


def test_an_error_that_is_not_expected_is_not_hidden() -> None:
    """A problem keeps its own status and code."""
    problem = Problem(418, "teapot", "short and stout")
    assert problem_of(problem) is problem


async def _end_connections(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'runstream-api'"
        assert await connection.fetchval(query)
    finally:
        await connection.close()
