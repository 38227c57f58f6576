"""The summary consumer's tables: one row a run, and more where it has many keys; read and written many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runstream_consumers.runtime.postgres.queries import load_queries
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary.layout import Layout
from runstream_consumers.summary.packing import pack_document, pack_keys, texts, unpack, unpack_keys
from runstream_schemas import values
from runstream_schemas.summary_algebra.fold import Changed, RunFold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.topics import RunPath

QUERIES = load_queries(files("runstream_consumers.summary") / "queries.sql")

_TEXTS = ("config", "attributes", "metadata", "metrics")


@dataclass(slots=True)
class Kept:
    """A run's fold, and in which part of the stored state each key lies."""

    fold: RunFold
    layout: Layout

    @classmethod
    def new(cls, run: RunPath) -> Kept:
        """Return a run of which nothing is known."""
        fold = RunFold(run=run)
        return cls(fold, Layout(fold))


async def load(connection: Connection, runs: Collection[RunPath]) -> dict[RunPath, Kept]:
    """Return those runs that have a row."""
    if not runs:
        return {}
    paths = {run_key(run): run for run in runs}
    parts: dict[UUID, list[bytes]] = {}
    for row in await connection.fetch(QUERIES["load_parts"], list(paths)):
        parts.setdefault(row["run"], []).append(row["keys"])
    rows = await connection.fetch(QUERIES["load"], list(paths))
    return {paths[row["run"]]: kept_of(paths[row["run"]], row, parts.get(row["run"], ())) for row in rows}


def kept_of(run: RunPath, row: Any, parts: Iterable[bytes]) -> Kept:
    """Return the run that a row of the table keeps, and the parts beside it."""
    fold = unpack(run, row["keys"], row["document"])
    fold.created, fold.updated, fold.last_step = row["created"], row["updated"], row["last_step"]
    first = list(fold.keys)
    return Kept(fold, Layout(fold, [first, *(unpack_keys(fold, part) for part in parts)]))


async def create(connection: Connection, runs: Sequence[Kept]) -> None:
    """Write the rows of runs that have none."""
    for kept in runs:
        kept.fold.changed = Changed(keys=True, document=True, rules=True)
    if runs:
        parts = [row for kept in runs for row in _parts(kept)]
        rows = [(*_columns(kept), kept.fold.run.entity, kept.fold.run.project, kept.fold.run.run_id) for kept in runs]
        await connection.execute(QUERIES["create"], *_transposed(rows))
        await _save_parts(connection, parts)


async def save(connection: Connection, runs: Sequence[Kept]) -> None:
    """Write what changed of runs that have a row."""
    if runs:
        parts = [row for kept in runs for row in _parts(kept)]
        await connection.execute(QUERIES["save"], *_transposed([_columns(kept) for kept in runs]))
        await _save_parts(connection, parts)


async def _save_parts(connection: Connection, parts: Sequence[tuple[Any, ...]]) -> None:
    if parts:
        await connection.execute(QUERIES["save_parts"], *_transposed(parts))


def _parts(kept: Kept) -> list[tuple[Any, ...]]:
    """Return the rows of the parts that changed, but for part 0, which lies in the run's own row."""
    fold, layout = kept.fold, kept.layout
    return [
        (run_key(fold.run), number, pack_keys(layout.keys_of(fold, number)), values.dump(layout.shown(fold, number)))
        for number in layout.touched(fold)
        if number
    ]


def _columns(kept: Kept) -> tuple[Any, ...]:
    """Return the columns of a run's row, None for what need not be written, and mark the fold as unchanged."""
    fold = kept.fold
    changed, fold.changed = fold.changed, Changed()
    described = texts(fold) if changed.document else dict.fromkeys(_TEXTS)
    return (
        run_key(fold.run),
        fold.created,
        fold.updated,
        fold.last_step,
        pack_keys(kept.layout.keys_of(fold, 0), fold.latest) if changed.keys else None,
        pack_document(fold) if changed.document else None,
        values.dump(kept.layout.shown(fold, 0)),
        *(described[name] for name in _TEXTS),
    )


def _transposed(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
