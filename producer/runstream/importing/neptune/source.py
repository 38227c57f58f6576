"""Finds and reads the Parquet files of neptune-exporter. Needs the package pyarrow.

``DATA/PROJECT/RUN_part_N.parquet`` has attributes of one run; the folder of files has a folder of the same name
``PROJECT``. (neptune-exporter, README, "Data layout on disk" and "Parquet schema".)
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.importing.names import files_fingerprint
from runstream.importing.neptune.conversion import (
    FILES,
    PARAMETERS,
    SERIES,
    described,
    ending,
    files,
    parameters,
    rows,
    started,
)
from runstream.importing.records import Found, NotImported, Record, SourceError, SourceRun, UnreadablePlace
from runstream.media.packages import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

TRACKER = "neptune"
_PART = re.compile(r"(?P<run>.+)_part_(?P<number>\d+)\.parquet")
_COLUMNS = frozenset({"project_id", "run_id", "attribute_path", "attribute_type", "step", "timestamp"})
_BATCH_ROWS = 10_000


def find_runs(places: Sequence[Path], files_root: Path | None = None) -> Iterator[Found]:
    """Yield the runs in folders of Parquet files and below them.

    ``files_root`` is the folder of files; by default ``files`` beside the folder ``data``. Raises Error without the
    package pyarrow.
    """
    require("pyarrow", "Importing from Neptune", "runstream[parquet]")
    for place in places:
        found = _parts(place)
        if not found:
            reason = "there is no file RUN_part_N.parquet" if place.exists() else "it does not exist"
            yield UnreadablePlace(str(place), reason)
        for unfinished in sorted(place.rglob("*_part_*.parquet.tmp")):
            yield UnreadablePlace(str(unfinished), "its export is not complete: repeat `neptune-exporter export`")
        for paths in found:
            root = files_root or (place if place.is_dir() else place.parent).absolute().parent / "files"
            yield _described(paths, root / paths[0].parent.name)


def _parts(place: Path) -> list[list[Path]]:
    """Return the parts of each run in order."""
    found: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    for path in [place] if place.is_file() else sorted(place.rglob("*.parquet")):
        if match := _PART.fullmatch(path.name):
            found.setdefault((path.parent, match["run"]), []).append((int(match["number"]), path.absolute()))
    return [[path for _, path in sorted(parts)] for _, parts in sorted(found.items())]


def _described(paths: Sequence[Path], folder: Path) -> Found:
    try:
        names = _table(paths[0], ["project_id", "run_id"]).slice(0, 1).to_pylist()
        if not names:
            return UnreadablePlace(str(paths[0]), "it has no attributes")
        first = names[0]
        values = parameters(_attributes(paths, PARAMETERS, prefix="sys/"))
        return SourceRun(
            tracker=TRACKER,
            key=f"{first['project_id']}/{first['run_id']}",
            fingerprint=files_fingerprint(paths),
            run_id=str(first["run_id"]),
            project=str(first["project_id"]).rpartition("/")[2],
            place=str(paths[0]),
            started=started(values),
            records=partial(_read, paths, folder),
        )
    except (SourceError, OSError) as error:
        return UnreadablePlace(str(paths[0]), str(error))


def _read(paths: Sequence[Path], folder: Path) -> Iterator[Record]:
    values = parameters(_attributes(paths, PARAMETERS))
    yield from described(values)
    yield from rows(_points(paths))
    yield from files(_attributes(paths, FILES), folder)
    yield from _others(paths)
    yield ending(values)


def _others(paths: Sequence[Path]) -> Iterator[NotImported]:
    known = {*PARAMETERS, *SERIES, *FILES}
    for path in paths:
        counts = _table(path, ["attribute_type"]).column(0).value_counts().to_pylist()
        for count in counts:
            if count["values"] not in known:
                yield NotImported(
                    f"attributes of type {str(count['values'])[:40]!r}", "it is not known", count["counts"]
                )


def _points(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield the points of all series in the order of step, time and path; those of a run are sorted in memory."""
    import pyarrow as pa  # noqa: PLC0415 - an optional package

    table = pa.concat_tables([_selected(path, SERIES, "") for path in paths], promote_options="default")
    order = [("step", "ascending"), ("timestamp", "ascending"), ("attribute_path", "ascending")]
    for batch in table.sort_by(order).to_batches(_BATCH_ROWS):
        yield from batch.to_pylist()


def _attributes(paths: Sequence[Path], types: Iterable[str], prefix: str = "") -> Iterator[dict[str, Any]]:
    """Yield the attributes of some types whose paths begin with a prefix."""
    for path in paths:
        for batch in _selected(path, types, prefix).to_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _selected(path: Path, types: Iterable[str], prefix: str) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    table = _table(path, None)
    chosen = pc.is_in(table["attribute_type"], pa.array(sorted(types)))
    return table.filter(pc.and_(chosen, pc.starts_with(table["attribute_path"], prefix)))


def _table(path: Path, columns: list[str] | None) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            if missing := _COLUMNS - {*file.schema_arrow.names}:
                raise SourceError(f"{path} is not of neptune-exporter: it has no column {', '.join(sorted(missing))}")
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"Cannot read {path}: {str(error).splitlines()[0]:.200}") from error
