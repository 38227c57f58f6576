"""Bulk reads of a long archived run by the client, compared with pyarrow on the same Parquet files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem

from runstream_consumers.archive.layout import base_of
from runstream_schemas.events import Stream
from tests.benchmarks import processes
from tests.benchmarks.archived_run import METRICS, SPIKE
from tests.benchmarks.figures import Figure, at_least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runstream.public_api.run import Run
    from runstream_schemas.topics import RunPath

_Format = Literal["arrow", "pandas"]
_FORMATS: tuple[_Format, ...] = ("arrow", "pandas")
_ROUNDS = 5
#: Rows of a table of all keys: more would only take longer.
_WIDE_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class Files:
    """The Parquet files of a run, by their first step: on disk, and in the object store."""

    local: Sequence[Path]
    keys: Sequence[str]
    store: S3FileSystem

    @classmethod
    def of(cls, run: Run, path: RunPath, store: Mapping[str, str], folder: Path) -> Files:
        """Download the files; ``store`` has the settings of the object store."""
        local = run.download_history_exports(folder / "exports").paths
        lake = base_of(path, Stream.HISTORY, UUID(int=0)).rpartition("/")[0]
        system = S3FileSystem(
            access_key=store["RUNSTREAM_S3_ACCESS_KEY"],
            secret_key=store["RUNSTREAM_S3_SECRET_KEY"],
            endpoint_override=store["RUNSTREAM_S3_ENDPOINT"],
            region="us-east-1",
        )
        return cls(local, [f"runstream/{lake}/{one.name}" for one in local], system)

    def first(self, rows: int) -> Files:
        """Return the files with the first rows, at least so many."""
        count = 0
        for number, one in enumerate(self.local, 1):
            count += pq.read_metadata(one).num_rows
            if count >= rows:
                return Files(self.local[:number], self.keys[:number], self.store)
        return self

    def read(self, columns: list[str], into: str, *, from_store: bool) -> Any:
        """Return columns by means of pyarrow alone."""
        if from_store:
            found = pq.read_table(list(self.keys), columns=columns, filesystem=self.store, partitioning=None)
        else:
            found = pq.read_table(list(self.local), columns=columns, partitioning=None)
        return found if into == "arrow" else found.to_pandas()


def measure(run: Run, rows: int, files: Files, pid: int) -> Iterator[Figure]:
    """Yield how fast rows are read as dicts and as tables; ``pid`` is the process of the API."""
    yield from _dicts(run, min(rows, 2_000_000), pid)
    every = ["_step", "_time", "_writer", "_late", *(f"train/metric_{number}" for number in range(METRICS))]
    for keys, columns, count in (([SPIKE], ["_step", SPIKE], rows), (None, every, min(rows, _WIDE_ROWS))):
        for into in _FORMATS:
            yield from _tables(run, files.first(count), (keys, columns), (count, into), pid)


def _tables(
    run: Run, files: Files, asked: tuple[list[str] | None, list[str]], what: tuple[int, _Format], pid: int
) -> Iterator[Figure]:
    (keys, columns), (count, into) = asked, what
    ours, store, disk, used, theirs = [], [], [], [], []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        store.append(_rate(lambda: files.read(columns, into, from_store=True)))
        theirs.append((time.process_time() - begin) / count)
        begin = _cpu(pid)
        ours.append(_rate(lambda: run.read_history(keys, max_step=count, format=into)))
        used.append((_cpu(pid) - begin) / count)
        disk.append(_rate(lambda: files.read(columns, into, from_store=False)))
    name = f"read_history of {'all keys' if keys is None else 'one key'} to {into}, of pyarrow's speed"
    rates = f"{median(ours) / 1e6:.2f} and {median(store) / 1e6:.2f} M rows/s"
    cpu = f"{1e6 * median(used):.2f} of client and API, {1e6 * median(theirs):.2f} of pyarrow"
    note = f"{rates}; µs of CPU time a row: {cpu}"
    yield Figure(
        f"{name} with the same files in the same store", median(ours) / median(store), "x", at_least(0.5), note
    )
    yield Figure(
        f"{name} with the same files on disk",
        median(ours) / median(disk),
        "x",
        note=f"{median(disk) / 1e6:.2f} M rows/s",
    )


def _dicts(run: Run, count: int, pid: int) -> Iterator[Figure]:
    rates, used = [], []
    for _ in range(_ROUNDS):
        begin = _cpu(pid)
        rates.append(_rate(lambda: sum(1 for _ in run.scan_history(keys=[SPIKE], max_step=count))))
        used.append(count / (_cpu(pid) - begin))
    note = f"{count:,} rows; {median(used) / 1e6:.2f} M rows/s of CPU time of client and API"
    yield Figure("scan_history of one key, dicts", median(rates) / 1e6, "M rows/s", at_least(1), note)


def _rate(read: Callable[[], Any]) -> float:
    """Return rows a second."""
    begin = time.monotonic()
    found = read()
    return (found if isinstance(found, int) else len(found)) / (time.monotonic() - begin)


def _cpu(pid: int) -> float:
    return processes.cpu_seconds(pid) + time.process_time()
