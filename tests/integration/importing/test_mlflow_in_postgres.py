"""A store of MLflow in PostgreSQL is read as the one in SQLite."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from typing import TYPE_CHECKING

import asyncpg

from runstream.importing.mlflow.source import find_runs
from runstream.importing.records import SourceRun, UnreadablePlace
from tests.conftest import run_aside
from tests.polling import eventually_async
from tests.unit.importing.test_mlflow import database as sqlite_database

if TYPE_CHECKING:
    from pathlib import Path

_TABLES = {
    "experiments": "experiment_id int, name text, lifecycle_stage text",
    "runs": "run_uuid text, name text, user_id text, status text, start_time bigint, end_time bigint, "
    "lifecycle_stage text, artifact_uri text, experiment_id int",
    "metrics": "key text, value double precision, timestamp bigint, run_uuid text, step bigint, is_nan bool",
    "params": "key text, value text, run_uuid text",
    "tags": "key text, value text, run_uuid text",
}


async def copy(source: Path, target: str) -> None:
    """Copy the tables that are read."""
    connection = await asyncpg.connect(target)
    rows = sqlite3.connect(source)
    for table, columns in _TABLES.items():
        await connection.execute(f"CREATE TABLE {table} ({columns})")
        names = [column.split()[0] for column in columns.split(", ")]
        found = rows.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
        if table == "metrics":
            found = [(*row[:-1], bool(row[-1])) for row in found]
        await connection.copy_records_to_table(table, records=found, columns=names)
    rows.close()
    await connection.close()


def test_the_runs_are_the_same(database: str, tmp_path: Path) -> None:
    """Rows, config, attributes and states are those of the same store in SQLite."""
    path = sqlite_database(tmp_path)
    run_aside(copy(path, database))

    in_sqlite, in_postgres = (
        {run.run_id: list(map(repr, run.records())) for run in find_runs([place]) if isinstance(run, SourceRun)}
        for place in (str(path), database.replace("postgresql://", "postgresql+psycopg2://"))
    )

    assert in_postgres == in_sqlite
    assert len(in_postgres) == 3


async def test_the_last_reference_may_go_away_while_a_loop_runs(database: str, tmp_path: Path) -> None:
    """The connection is closed completely in any thread, also in one whose event loop is running."""
    await copy(sqlite_database(tmp_path), database)
    found = await asyncio.to_thread(list, find_runs([database]))
    assert found

    del found
    gc.collect()  # an open connection would be a warning, and so an error

    connection = await asyncpg.connect(database)
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"

    async def alone() -> bool:
        return not await connection.fetchval(others)

    await eventually_async(alone)
    await connection.close()


def test_a_database_of_others_is_named(database: str) -> None:
    """Without MLflow's tables, the error names the table that is missing."""
    (found,) = find_runs([database])

    assert isinstance(found, UnreadablePlace)
    assert 'relation "metrics" does not exist' in found.reason
