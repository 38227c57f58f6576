"""The API's connections to Postgres: limited in number and time, read-only, and replaced if they break."""

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


async def test_a_used_up_pool_returns_an_error_in_time(database: str) -> None:
    """If no connection becomes free before the deadline, the error is ``database_busy``; later requests succeed."""
    async with open_database(database, _TIGHT) as opened:
        async with opened.connection():
            with pytest.raises(Unavailable) as refused:
                async with opened.connection():
                    pytest.fail("a second connection was provided")
        assert (refused.value.status, refused.value.code) == (503, "database_busy")
        async with opened.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_slow_statement_is_canceled(database: str) -> None:
    """Postgres cancels the statement, and the connection can be used for the next request."""
    async with open_database(database, _TIGHT) as opened:
        with pytest.raises(asyncpg.QueryCanceledError) as ended:
            async with opened.connection() as connection:
                await connection.execute("SELECT pg_sleep(10)")
        assert problem_of(ended.value).code == "too_slow"
        async with opened.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_connections_are_read_only(database: str) -> None:
    """The database refuses statements that write."""
    async with open_database(database, _TIGHT) as opened, opened.connection() as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE written (a int)")


async def test_an_unreachable_database_is_an_error_at_first_use() -> None:
    """Opening does not connect; the first use raises an error with the reason."""
    async with open_database("postgresql://nobody@127.0.0.1:1/nothing", _TIGHT) as opened:
        with pytest.raises(OSError, match="Connect call failed") as refused:
            async with opened.connection():
                pytest.fail("a connection was provided without a server")
    assert problem_of(refused.value).code == "database_unreachable"


def test_broken_connections_are_replaced(served: Served, digits: Recording, postgres: Postgres) -> None:
    """Requests are answered again after the server has ended all connections of the API."""
    assert served.run(digits)["id"] == "digits"
    run_aside(_end_connections(postgres.address(served.prefix)))
    eventually(lambda: served.run(digits)["id"] == "digits", within=120)


def test_a_problem_keeps_its_status_and_code() -> None:
    """An error that is a problem already is returned unchanged."""
    problem = Problem(418, "teapot", "short and stout")
    assert problem_of(problem) is problem


async def _end_connections(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'runstream-api' AND datname = current_database()"
        )
        assert await connection.fetchval(query)
    finally:
        await connection.close()
