"""Reads runs and projects from the summary consumer's table."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary.store import QUERIES, kept_of
from runstream_schemas import values
from runstream_schemas.summary_algebra.state import run_state
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream_consumers.runtime.plugin import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """What is known of a run, less its rows and its state; times are microseconds since 1970, of the broker's clock."""

    run: RunPath
    attributes: dict[str, Any]
    metadata: dict[str, Any]
    config: dict[str, Any]
    summary: dict[str, Any]
    metrics: list[dict[str, Any]]
    last_step: int | None
    created: int
    updated: int

    @property
    def cursor(self) -> str:
        """What :func:`runs` takes as ``after`` to go on behind this run."""
        packed = self.created.to_bytes(8, "big") + run_key(self.run).bytes
        return base64.urlsafe_b64encode(packed).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, how many runs it has, and when one of them last grew (microseconds since 1970)."""

    entity: str
    project: str
    runs: int
    updated: int


async def run(connection: Connection, run: RunPath) -> RunDocument | None:
    """Return the document of a run, or None where nothing of it has arrived."""
    row = await connection.fetchrow(QUERIES["run"], run_key(run))
    return None if row is None else _document(row)


async def attributes(connection: Connection, run: RunPath) -> dict[str, Any]:
    """Return the attributes of a run alone; empty where nothing of it has arrived."""
    text = await connection.fetchval(QUERIES["attributes"], run_key(run))
    found: dict[str, Any] = {} if text is None else values.load(text)
    return found


async def keys(connection: Connection, run: RunPath) -> list[str]:
    """Return the logged keys that ever had a number, shown or not; sorted, their paths joined by dots."""
    row = await connection.fetchrow(QUERIES["folds"], run_key(run))
    found = {} if row is None else kept_of(run, row, row["parts"]).fold.keys
    return sorted(".".join(path) for path, known in found.items() if known.count)


async def folds(connection: Connection, run: RunPath) -> dict[str, Any] | None:
    """Return what a process that carries the run on needs to go on folding, as ``run_state`` has it; None as above."""
    row = await connection.fetchrow(QUERIES["folds"], run_key(run))
    return None if row is None else run_state(kept_of(run, row, row["parts"]).fold)


async def runs(
    connection: Connection,
    *,
    entity: str | None = None,
    project: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> list[RunDocument]:
    """Return runs, newest first, from behind the run whose cursor is given; raises ValueError for any other text."""
    created, key = (None, None) if after is None else _position(after)
    rows = await connection.fetch(QUERIES["runs"], entity, project, limit, created, key)
    return [_document(row) for row in rows]


async def projects(connection: Connection) -> list[Project]:
    """Return all projects, the one that last grew first."""
    return [Project(**row) for row in await connection.fetch(QUERIES["projects"])]


def _position(cursor: str) -> tuple[int, UUID]:
    packed = base64.urlsafe_b64decode(cursor.encode())
    if len(packed) != 24:  # noqa: PLR2004 — eight bytes of time, sixteen of the run's key
        raise ValueError(f"{cursor!r} is no cursor of a list of runs")
    return int.from_bytes(packed[:8], "big", signed=True), UUID(bytes=packed[8:])


def _document(row: Any) -> RunDocument:
    return RunDocument(
        run=RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"]),
        attributes=values.load(row["attributes"]),
        metadata=values.load(row["metadata"]),
        config=values.load(row["config"]),
        summary=_joined([row["summary"], *row["parts"]]),
        metrics=values.load(row["metrics"]),
        last_step=row["last_step"],
        created=row["created"],
        updated=row["updated"],
    )


def _joined(texts: Iterable[str]) -> dict[str, Any]:
    """Return the summary whose parts are given as JSON texts, its names in alphabetical order."""
    return dict(sorted((name, value) for text in texts for name, value in values.load(text).items()))
