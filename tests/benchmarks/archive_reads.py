"""Bulk reads of a long archived run by the client, compared with pyarrow on the same Parquet files."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks import processes
from tests.benchmarks.archived_run import SPIKE
from tests.benchmarks.figures import Figure, at_least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runstream.public_api.run import Run

_Format = Literal["arrow", "pandas"]
_FORMATS: tuple[_Format, ...] = ("arrow", "pandas")
_ROUNDS = 3
#: Rows of a table of all keys: more would only take longer.
_WIDE_ROWS = 500_000


def measure(run: Run, rows: int, folder: Path, pid: int) -> Iterator[Figure]:
    """Yield how fast rows are read as dicts and as tables; ``pid`` is the process of the API."""
    yield from _dicts(run, min(rows, 2_000_000), pid)
    files = run.download_history_exports(folder / "exports").paths
    for keys, shown, count in (([SPIKE], "one key", rows), (None, "all keys", min(rows, _WIDE_ROWS))):
        for into in _FORMATS:
            yield _table(run, files, keys, (shown, count, into), pid)


def _table(run: Run, files: list[Path], keys: list[str] | None, what: tuple[str, int, _Format], pid: int) -> Figure:
    shown, count, into = what
    columns = None if keys is None else ["_step", *keys]
    ours, theirs, used = [], [], []
    for _ in range(_ROUNDS):
        theirs.append(_rate(lambda: _parquet(files, columns, into)))
        begin = _cpu(pid)
        ours.append(_rate(lambda: run.read_history(keys, max_step=count, format=into)))
        used.append((_cpu(pid) - begin) / count)
    rates = f"{median(ours) / 1e6:.2f} and {median(theirs) / 1e6:.2f} M rows/s"
    note = f"{rates}; {1e6 * median(used):.2f} µs of CPU time a row, of client and API"
    name = f"read_history of {shown} to {into}, of pyarrow's speed with the same files"
    return Figure(name, median(ours) / median(theirs), "x", at_least(0.5), note)


def _dicts(run: Run, count: int, pid: int) -> Iterator[Figure]:
    rates, used = [], []
    for _ in range(_ROUNDS):
        begin = _cpu(pid)
        rates.append(_rate(lambda: sum(1 for _ in run.scan_history(keys=[SPIKE], max_step=count))))
        used.append(count / (_cpu(pid) - begin))
    note = f"{count:,} rows; {median(used) / 1e6:.2f} M rows/s of CPU time of client and API"
    yield Figure("scan_history of one key, dicts", median(rates) / 1e6, "M rows/s", at_least(1), note)


def _parquet(files: list[Path], columns: list[str] | None, into: str) -> Any:
    found = pa.concat_tables([pq.read_table(one, columns=columns) for one in files], promote_options="default")
    return found if into == "arrow" else found.to_pandas()


def _rate(read: Callable[[], Any]) -> float:
    """Return rows a second."""
    begin = time.monotonic()
    found = read()
    return (found if isinstance(found, int) else len(found)) / (time.monotonic() - begin)


def _cpu(pid: int) -> float:
    return processes.cpu_seconds(pid) + time.process_time()
