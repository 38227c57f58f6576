"""Reads runs and projects from the tables of the summary consumer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary.packing import changed_texts, numeric_keys
from runstream_consumers.summary.store import QUERIES, stored_state_of
from runstream_schemas import values
from runstream_schemas.summary_algebra.state_codec import encode_state
from runstream_schemas.topics import RunPath

#: The statement that describes a run, whose key is its parameter.
DESCRIPTION = QUERIES["attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """A run without its rows and its state, by default one of which nothing is stored.

    Times are microseconds since 1970, by the broker's clock; 0 if nothing is stored.
    """

    run: RunPath
    attributes: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    last_step: int | None = None
    created: int = 0
    updated: int = 0

    @property
    def cursor(self) -> str:
        """The value of ``after`` with which :func:`runs` continues after this run."""
        return cursor_after(self.created, run_key(self.run))


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, its number of runs, and when one of them was last updated (microseconds since 1970)."""

    entity: str
    project: str
    runs: int
    updated: int


async def run(connection: Connection, run: RunPath) -> RunDocument | None:
    """Return the document of a run, or None if the run is not known."""
    return (await documents(connection, [run])).get(run)


async def documents(connection: Connection, runs: Sequence[RunPath]) -> dict[RunPath, RunDocument]:
    """Return the documents of those runs that are known."""
    rows = await connection.fetch(QUERIES["documents"], [run_key(run) for run in runs])
    return {document.run: document for document in map(document_of, rows)}


async def attributes(connection: Connection, run: RunPath) -> dict[str, Any]:
    """Return the attributes of a run; empty if the run is not known."""
    found = await description(connection, run)
    return {} if found is None else found.attributes


async def description(connection: Connection, run: RunPath) -> RunDocument | None:
    """Return the attributes of a run and when it was created, or None if the run is not known."""
    row = await connection.fetchrow(DESCRIPTION, run_key(run))
    return None if row is None else described(run, row)


def described(run: RunPath, row: Any) -> RunDocument:
    """Return the document that a row of :data:`DESCRIPTION` describes."""
    found = changed_texts({"attributes": row["attributes"]}, row["changes"])["attributes"]
    return RunDocument(run=run, attributes=found, created=row["created"])


async def keys(connection: Connection, run: RunPath) -> list[str]:
    """Return the keys that ever had a number, displayed or not: their paths joined by dots."""
    row = await connection.fetchrow(QUERIES["packed_keys"], run_key(run))
    parts = [] if row is None else row["parts"]
    return await asyncio.to_thread(lambda: [key for part in parts for key in numeric_keys(part)])


async def summary_state(connection: Connection, run: RunPath) -> dict[str, Any] | None:
    """Return the encoded summary state from which a process continues a run, or None if the run is not known."""
    row = await connection.fetchrow(QUERIES["state"], run_key(run))
    return None if row is None else encode_state(stored_state_of(run, row, row["parts"]).state)


async def runs(
    connection: Connection,
    *,
    entity: str | None = None,
    project: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> list[RunDocument]:
    """Return runs with their attributes, newest first, after the run of a cursor; raises ValueError for a cursor."""
    created, key = (None, None) if after is None else position(after)
    rows = await connection.fetch(QUERIES["runs"], entity, project, limit, created, key)
    return await asyncio.to_thread(lambda: [document_of(row) for row in rows])


async def has_partial(connection: Connection, *, entity: str | None = None, project: str | None = None) -> bool:
    """Return whether there are runs with more keys than their rows in lists have."""
    return bool(await connection.fetchval(QUERIES["has_partial"], entity, project))


async def projects(connection: Connection) -> list[Project]:
    """Return all projects, the most recently updated first."""
    return [Project(**row) for row in await connection.fetch(QUERIES["projects"])]


def cursor_after(created: int, key: UUID) -> str:
    """Return the cursor after a run of a list, newest first."""
    return base64.urlsafe_b64encode(created.to_bytes(8, "big") + key.bytes).decode()


def position(cursor: str) -> tuple[int, UUID]:
    """Return the time and the key in a cursor of runs, newest first; raises ValueError if it is not valid."""
    packed = base64.urlsafe_b64decode(cursor.encode())
    if len(packed) != 24:  # noqa: PLR2004 - eight bytes of time, sixteen bytes of the run's key
        raise ValueError(f"Invalid cursor of a list of runs: {cursor!r}")
    return int.from_bytes(packed[:8], "big", signed=True), UUID(bytes=packed[8:])


def document_of(row: Any) -> RunDocument:
    """Return the document of a row of the statement ``documents``."""
    texts = {name: row[name] for name in ("attributes", "metadata", "config") if row[name] is not None}
    found = changed_texts(texts, row["changes"])
    metrics, summary = row["metrics"] or "[]", [row["summary"] or "{}", *(row["parts"] or ())]
    return RunDocument(
        run=RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"]),
        attributes=found["attributes"],
        metadata=found.get("metadata", {}),
        config=found.get("config", {}),
        summary=_joined(summary),
        metrics=values.load(metrics),
        last_step=row["last_step"],
        created=row["created"],
        updated=row["updated"],
    )


def _joined(texts: Iterable[str]) -> dict[str, Any]:
    """Return the summary from the JSON texts of its parts, sorted by name."""
    return dict(sorted((name, value) for text in texts for name, value in values.load(text).items()))
