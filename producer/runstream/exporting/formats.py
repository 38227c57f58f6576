"""Writing a table to a file in one piece: to a temporary file beside it, which is then renamed."""

from __future__ import annotations

import csv
import os
import secrets
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runstream.exporting.columns import Kind, fitted
from runstream.media.packages import require
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runstream.exporting.row_spool import RowSpool

_BATCH_ROWS = 32_768


class Format(StrEnum):
    """The formats of exported files; the value is the end of their names."""

    PARQUET = "parquet"
    CSV = "csv"


def check_installed(chosen: Format) -> None:
    """Raise Error that names the extra if a package is missing that a format needs."""
    if chosen is Format.PARQUET:
        require("pyarrow", "Export to Parquet", "runstream[parquet]")


def write_table(rows: RowSpool, path: Path, chosen: Format, facts: Mapping[str, Any]) -> None:
    """Write rows to a file, which is complete or does not exist; a Parquet file has ``facts``. Raises OSError."""
    with _replaced(path) as draft:
        _WRITERS[chosen](rows, draft, facts)


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write_csv(rows: RowSpool, path: Path, facts: Mapping[str, Any]) -> None:
    del facts
    kinds = rows.columns.kinds
    with path.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(kinds)
        for batch in rows.batches(_BATCH_ROWS):
            writer.writerows([_cell(row.get(name), kind) for name, kind in kinds.items()] for row in batch)
        file.flush()
        os.fsync(file.fileno())


def _cell(value: Any, kind: Kind) -> Any:
    found = fitted(value, kind)
    return str(found).lower() if isinstance(found, bool) else found


def _write_parquet(rows: RowSpool, path: Path, facts: Mapping[str, Any]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an optional package
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {
        Kind.NULL: pa.null(),
        Kind.BOOL: pa.bool_(),
        Kind.INT: pa.int64(),
        Kind.FLOAT: pa.float64(),
        Kind.TEXT: pa.string(),
    }
    kinds = rows.columns.kinds
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()], {"runstream": values.dump(dict(facts))})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in rows.batches(_BATCH_ROWS):
            columns = [[fitted(row.get(name), kind) for row in batch] for name, kind in kinds.items()]
            arrays = [pa.array(column, types[kind]) for column, kind in zip(columns, kinds.values(), strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


_WRITERS: Mapping[Format, Callable[[RowSpool, Path, Mapping[str, Any]], None]] = {
    Format.CSV: _write_csv,
    Format.PARQUET: _write_parquet,
}
