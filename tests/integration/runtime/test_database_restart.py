"""A database that is killed and restarted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runstream_consumers.runtime.exceptions import MigrationFault
from runstream_consumers.runtime.postgres.connection import Timeouts, connect
from runstream_consumers.runtime.postgres.migrate import migrate
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.postgres import Postgres
from runstream_deploy.services.service import wait_until_ready
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, consuming, fetch, lines_of, read_ledger, settings_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper


async def test_consumer_waits_for_a_killed_database(
    broker: str, prefix: str, tmp_path_factory: pytest.TempPathFactory, reaper: Reaper
) -> None:
    """A consumer that starts before the database and loses it later stores everything once it is available."""
    folder = tmp_path_factory.mktemp("restarted")
    log = folder / "postgres.log"
    server = Postgres(folder / "data", port=choose_port(), password="secret")
    server.prepare()
    run = run_in(0)
    wanted = dict.fromkeys(lines_of(block(run, writer(1), 0, 30)), 1)

    async def stored(count: int) -> bool:
        found = await read_ledger(server.address())
        return dict(found) == {line: 1 for line in wanted if line[3] < count}

    await publish(broker, prefix, [block(run, writer(1), 0, 10)])
    async with consuming(LedgerConsumer(), settings_of(broker, prefix, server.address())):
        child = Child(server.command(), log, reaper)
        try:
            await wait_until_ready(server, child.exit_code, log)
            await eventually_async(lambda: stored(10))
            child.kill()
            await publish(broker, prefix, [block(run, writer(1), 10, 10)])
            child = Child(server.command(), log, reaper)
            await wait_until_ready(server, child.exit_code, log)
            await publish(broker, prefix, [block(run, writer(1), 15, 15)])
            await eventually_async(lambda: stored(30))
        finally:
            child.stop()


async def test_every_wait_of_the_database_is_bounded(database: str) -> None:
    """The server limits statements, locks and idle transactions."""
    limits = Timeouts(statement=0.2, lock=0.1, idle_in_transaction=0.2)
    connection = await connect(database, application="test", timeouts=limits)
    other = await connect(database, application="other", timeouts=limits)
    try:
        with pytest.raises(Exception, match="statement timeout"):
            await connection.execute("select pg_sleep(60)")
        await connection.execute("create table t (id integer primary key); insert into t values (1)")
        await connection.execute("begin; select * from t for update")
        with pytest.raises(Exception, match="lock timeout"):
            await other.execute("select * from t for update")
        await eventually_async(lambda: closed(connection), within=120)
        await other.execute("select * from t for update")
    finally:
        connection.terminate()
        other.terminate()


async def closed(connection: object) -> bool:
    """Return whether the server has ended the connection."""
    return bool(connection.is_closed())  # type: ignore[attr-defined]


async def test_migrations_run_once_and_all_or_none(database: str, tmp_path: Path) -> None:
    """Concurrent processes migrate once; a failing file has no effect; a newer database is refused."""
    (tmp_path / "0001_one.sql").write_text("create table one (id integer);")
    connections = [await connect(database, application="test") for _ in range(4)]
    try:
        ran = await asyncio.gather(*(migrate(connection, "mine", tmp_path) for connection in connections))
        assert sorted(len(migrations) for migrations in ran) == [0, 0, 0, 1]
        (tmp_path / "0002_two.sql").write_text("create table two (id integer);")
        (tmp_path / "0003_three.sql").write_text("create table one (id integer);")
        with pytest.raises(Exception, match="already exists"):
            await migrate(connections[0], "mine", tmp_path)
        tables = await fetch(database, "select tablename from pg_tables where schemaname = 'mine'")
        assert [row["tablename"] for row in tables] == ["one"]
        (tmp_path / "0003_three.sql").unlink()
        await migrate(connections[0], "mine", tmp_path)
        (tmp_path / "0002_two.sql").unlink()
        with pytest.raises(MigrationFault, match="newer"):
            await migrate(connections[0], "mine", tmp_path)
    finally:
        for connection in connections:
            connection.terminate()
