"""Finds and reads the runs of MLflow's stores."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.importing.mlflow.conversion import local_path, records
from runstream.importing.mlflow.database import DatabaseStore, PostgresDatabase, SqliteDatabase
from runstream.importing.mlflow.file_store import FileStore
from runstream.importing.mlflow.store import Store, StoredRun, UnreadablePart
from runstream.importing.records import Found, LeftOutRun, Record, SourceError, SourceRun, UnreadablePlace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACKER = "mlflow"
_SQLITE = b"SQLite format 3\0"
_FORMS = "expected sqlite:///PATH, postgresql://…, the file of a database, or a folder mlruns"


def find_runs(places: Sequence[str]) -> Iterator[Found]:
    """Yield the runs of stores, which are named as MLflow's tracking URIs are, or by a path."""
    for place in places:
        try:
            store = _store(place)
            yield from (_found(store, one, place) for one in store.runs())
        except SourceError as error:
            yield UnreadablePlace(_shown(place), str(error))


def _store(place: str) -> Store:
    scheme, separator, rest = place.partition("://")
    if separator and scheme.partition("+")[0] in {"postgresql", "postgres"}:
        return DatabaseStore(PostgresDatabase(place))
    if separator and scheme == "sqlite":
        # sqlite:///relative, sqlite:////absolute
        return DatabaseStore(SqliteDatabase(_existing(Path(rest[1:].partition("?")[0]))))
    path = local_path(place)
    if path is None:
        raise SourceError(f"Invalid store {_shown(place)!r}: {_FORMS}")
    path = _existing(path)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                raise SourceError(f"{path} is not a database of SQLite")
        return DatabaseStore(SqliteDatabase(path))
    if (path / "mlruns").is_dir():
        path /= "mlruns"
    if not any(path.glob("*/meta.yaml")):
        raise SourceError(f"{path} is not a folder mlruns: it has no EXPERIMENT/meta.yaml")
    return FileStore(path)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    return path


def _found(store: Store, run: StoredRun | UnreadablePart, place: str) -> Found:
    if isinstance(run, UnreadablePart):
        return UnreadablePlace(run.place, run.reason)
    where = f"{_shown(place)}, run {run.run_id} of {run.experiment!r}"
    if run.deleted:
        return LeftOutRun(where, "it is deleted in MLflow")
    return SourceRun(
        tracker=TRACKER,
        key=run.run_id,
        fingerprint=run.digest,
        run_id=run.run_id,
        project=run.experiment,
        place=where,
        started=run.started * 1000,
        records=partial(_read, store, run),
    )


def _read(store: Store, run: StoredRun) -> Iterator[Record]:
    return records(run, store.points(run.run_id))


def _shown(place: str) -> str:
    """Return a place without a password."""
    scheme, separator, rest = place.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else place
