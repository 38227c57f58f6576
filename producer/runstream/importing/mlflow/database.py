"""MLflow's database: SQLite by the standard library, PostgreSQL by asyncpg."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from runstream.importing.mlflow.store import Point, StoredRun, UnreadablePart
from runstream.importing.names import digest
from runstream.importing.records import SourceError
from runstream.media.packages import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_RUNS = """
    SELECT r.run_uuid, r.name, r.user_id, r.status, r.start_time, r.end_time, r.lifecycle_stage, r.artifact_uri,
           e.name, e.lifecycle_stage
    FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id ORDER BY r.start_time, r.run_uuid"""
_METRICS = "SELECT run_uuid, COUNT(*), MAX(timestamp), MAX(step) FROM metrics GROUP BY run_uuid"
_PARAMS = "SELECT run_uuid, key, value FROM params ORDER BY run_uuid, key"
_TAGS = "SELECT run_uuid, key, value FROM tags ORDER BY run_uuid, key"
_POINTS = """
    SELECT step, timestamp, key, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY step, timestamp, key, value"""
_PAGE = 10_000
_TIMEOUT_S = 30.0


class Database(Protocol):
    """Runs queries; raises SourceError."""

    def rows(self, query: str, arguments: Sequence[str] = ()) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query whose arguments are written ``?``."""


class DatabaseStore:
    """MLflow's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(self) -> Iterator[StoredRun]:
        """Yield the runs, oldest first."""
        metrics = {row[0]: "/".join(map(str, row[1:])) for row in self._database.rows(_METRICS)}
        params, tags = self._by_run(_PARAMS), self._by_run(_TAGS)
        for row in self._database.rows(_RUNS):
            run_id, name, user, status, started, ended, stage, uri, experiment, experiment_stage = row
            known = {key: str(value) for key, value in params[run_id].items()}
            facts = [str(one) for one in (*row, metrics.get(run_id), *params[run_id].items(), *tags[run_id].items())]
            yield StoredRun(
                run_id=str(run_id),
                experiment=str(experiment),
                name=str(name or ""),
                user=str(user or ""),
                status=str(status or ""),
                started=_integer(started),
                ended=_integer(ended),
                deleted="deleted" in {stage, experiment_stage},
                artifact_uri=str(uri or ""),
                digest=digest(*facts),
                params=known,
                tags={key: str(value or "") for key, value in tags[run_id].items()},
            )

    def points(self, run_id: str) -> Iterator[Point | UnreadablePart]:
        """Yield the points of a run, read page by page."""
        for step, time, key, value, is_nan in self._database.rows(_POINTS, (run_id,)):
            try:
                yield Point(int(step), int(time), str(key), float("nan") if is_nan else float(value))
            except (TypeError, ValueError):
                yield UnreadablePart(f"metric {key!r:.100}", f"{value!r:.50} at step {step!r:.50} is no number")

    def _by_run(self, query: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for run_id, key, value in self._database.rows(query):
            found[run_id][str(key)] = value
        return found


class SqliteDatabase:
    """A file of SQLite, which is not changed; raises SourceError if it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        try:
            self._connection = sqlite3.connect(uri, uri=True, timeout=_TIMEOUT_S)
        except sqlite3.Error as error:
            raise SourceError(f"Cannot open {path}: {error}") from error
        weakref.finalize(self, self._connection.close)
        # Text that is not UTF-8 does not end the import.
        self._connection.text_factory = lambda data: data.decode("utf-8", "replace")

    def rows(self, query: str, arguments: Sequence[str] = ()) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query."""
        try:
            yield from self._connection.execute(query, arguments)
        except sqlite3.Error as error:
            raise SourceError(f"Cannot read {self._path} as a database of MLflow: {error}") from error


class PostgresDatabase:
    """A PostgreSQL database, read in one transaction; raises SourceError if it cannot be used."""

    def __init__(self, uri: str) -> None:
        self._asyncpg = require("asyncpg", "Importing from PostgreSQL", "runstream[server]")
        # In a thread of its own: the last reference may go away where another loop runs, and closing needs this one.
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), name="MLflow database", daemon=True)
        thread.start()
        scheme, _, rest = uri.partition("://")
        self._shown = f"{scheme}://{rest.rpartition('@')[2]}"
        weakref.finalize(self, _close, self._loop, thread, opened := list[Any]())
        self._connection = self._wait(self._asyncpg.connect(f"postgresql://{rest}", timeout=_TIMEOUT_S))
        opened.append(self._connection)
        self._wait(self._connection.transaction(isolation="repeatable_read", readonly=True).start())

    def rows(self, query: str, arguments: Sequence[str] = ()) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query, read page by page."""
        cursor = self._wait(self._connection.cursor(query.replace("?", "$1"), *arguments))
        while page := self._wait(cursor.fetch(_PAGE)):
            yield from page

    def _wait(self, awaited: Any) -> Any:
        async def result() -> Any:
            return await awaited

        try:
            return asyncio.run_coroutine_threadsafe(result(), self._loop).result()
        except (self._asyncpg.PostgresError, self._asyncpg.InterfaceError, OSError, ValueError) as error:
            raise SourceError(
                f"Cannot read {self._shown} as a database of MLflow: {error or type(error).__name__}"
            ) from error


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _close(loop: asyncio.AbstractEventLoop, thread: threading.Thread, opened: Sequence[Any]) -> None:
    """Close what a database used, once no run refers to it."""

    def end() -> None:
        for connection in opened:
            connection.terminate()
        loop.call_soon(loop.stop)  # after the callbacks that close the sockets

    loop.call_soon_threadsafe(end)
    if thread is not threading.current_thread():
        thread.join(_TIMEOUT_S)


def _integer(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
