"""A table of a million rows and ten columns: logged, and read back, in a process of its own; its memory."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import runstream
from runstream.artifacts.content import read_description, to_object
from runstream_schemas.stored.tables import TableReader, read_rows
from tests.benchmarks.bench_log import offline_run
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.processes import peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

_COLUMNS = 10
_CHUNK = 256 * 1024


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the time and the memory that it takes to log a table and to read it back."""
    rows = scale.of(1_000_000, 20_000)
    command = [sys.executable, "-m", "tests.benchmarks.bench_table", os.fspath(scale.folder), str(rows)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size, plain = found["size"], found["plain_s"]
    note = f"{rows} rows, a file of {size:.0f} MiB; json.dumps of the rows: {plain:.1f} s"
    yield Figure("table: log(), of the time of json.dumps", found["log_s"] / plain, bar=at_most(1.5), note=note)
    yield Figure("table: memory of log() beyond the table, of the file", found["log_memory"] / size, bar=at_most(0.5))
    yield Figure("table: memory of reading row by row, of the file", found["read_memory"] / size, bar=at_most(0.5))
    note = f"{found['get_s']:.1f} s: read_description() and from_artifact(), as Artifact.get() and Run.table()"
    yield Figure("table: memory of reading a Table, of the file", found["get_memory"] / size, bar=at_most(4), note=note)
    note = f"{found['add_s']:.1f} s"
    yield Figure("table: memory of Artifact.add(), of the file", found["add_memory"] / size, bar=at_most(4), note=note)
    note = f"{found['read_s']:.1f} s; {found['table_s']:.1f} s to make the table of an array"
    yield Figure("table: memory of the table, of the file", found["table_memory"] / size, bar=at_most(4), note=note)


def _child(folder: Path, count: int) -> dict[str, Any]:
    """Log a table, and read it back; return durations and the growth of the peak of memory."""
    array = np.random.default_rng(0).random((count, _COLUMNS))
    before, began = _reset_peak(), time.monotonic()
    table = runstream.Table(columns=[f"c{at}" for at in range(_COLUMNS)], data=array)
    found: dict[str, Any] = {"table_s": time.monotonic() - began, "table_memory": peak_memory() - before}
    del array
    with offline_run(folder) as run:
        run.log({"small": runstream.Table(columns=["a"], data=[[1.5]])})
        before, began = _reset_peak(), time.monotonic()
        run.log({"table": table})
        found["log_s"] = time.monotonic() - began
        found["log_memory"] = peak_memory() - before
    path = max((path for path in folder.rglob("staged/*") if path.is_file()), key=lambda path: path.stat().st_size)
    found["size"] = path.stat().st_size / 2**20
    reader, before, began = TableReader(), _reset_peak(), time.monotonic()
    with path.open("rb") as file:
        assert sum(1 for _ in read_rows(iter(lambda: file.read(_CHUNK), b""), reader)) == count
    found |= {"read_s": time.monotonic() - began, "read_memory": peak_memory() - before}
    before, began = _reset_peak(), time.monotonic()
    again = to_object("table", read_description("table", path), None)
    found |= {"get_s": time.monotonic() - began, "get_memory": peak_memory() - before}
    assert again.data[-1] == table.data[-1]
    del again
    before, began = _reset_peak(), time.monotonic()
    runstream.Artifact("tables", "dataset").add(table, "table")
    found |= {"add_s": time.monotonic() - began, "add_memory": peak_memory() - before}
    gc.collect()
    began = time.monotonic()
    for start in range(0, count, 1000):
        json.dumps(table.data[start : start + 1000])
    return {**found, "plain_s": time.monotonic() - began}


def _reset_peak() -> float:
    """Set the peak of this process to what it uses now, in MiB, and return it."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_child(Path(sys.argv[1]), int(sys.argv[2]))))
