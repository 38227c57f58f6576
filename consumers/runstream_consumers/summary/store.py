"""The summary consumer's table: one row a run, read and written many at a time."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runstream_consumers.runtime.queries import load_queries
from runstream_consumers.runtime.run_key import run_key
from runstream_consumers.summary.packing import pack_document, pack_keys, texts, unpack
from runstream_schemas import values
from runstream_schemas.summary.fold import Changed, RunFold
from runstream_schemas.summary.projection import summary_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.topics import RunPath

QUERIES = load_queries(files("runstream_consumers.summary") / "queries.sql")

_TEXTS = ("config", "attributes", "metadata", "metrics")


async def load(connection: Connection, runs: Collection[RunPath]) -> dict[RunPath, RunFold]:
    """Return the folds of those runs that have a row."""
    if not runs:
        return {}
    paths = {run_key(run): run for run in runs}
    rows = await connection.fetch(QUERIES["load"], list(paths))
    return {paths[row["run"]]: fold_of(paths[row["run"]], row) for row in rows}


def fold_of(run: RunPath, row: Any) -> RunFold:
    """Return the fold that a row of the table keeps."""
    fold = unpack(run, row["keys"], row["document"])
    fold.created, fold.updated, fold.last_step = row["created"], row["updated"], row["last_step"]
    return fold


async def create(connection: Connection, folds: Sequence[RunFold]) -> None:
    """Write the rows of runs that have none."""
    for fold in folds:
        fold.changed = Changed(keys=True, document=True)
    if folds:
        rows = [(*_columns(fold), fold.run.entity, fold.run.project, fold.run.run_id) for fold in folds]
        await connection.execute(QUERIES["create"], *_transposed(rows))


async def save(connection: Connection, folds: Sequence[RunFold]) -> None:
    """Write what changed of runs that have a row."""
    if folds:
        await connection.execute(QUERIES["save"], *_transposed([_columns(fold) for fold in folds]))


def _columns(fold: RunFold) -> tuple[Any, ...]:
    """Return the columns of a run's row, None for what need not be written, and mark the fold as unchanged."""
    changed, fold.changed = fold.changed, Changed()
    shown = values.dump(summary_of(fold))
    described = texts(fold) if changed.document else dict.fromkeys(_TEXTS)
    return (
        run_key(fold.run),
        fold.created,
        fold.updated,
        fold.last_step,
        pack_keys(fold) if changed.keys else None,
        pack_document(fold) if changed.document else None,
        shown,
        *(described[name] for name in _TEXTS),
    )


def _transposed(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
