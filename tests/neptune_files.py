"""Writes Parquet files as neptune-exporter does, with its schema (neptune-exporter, ``model.py``)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

SCHEMA = pa.schema(
    [
        ("project_id", pa.string()),
        ("run_id", pa.string()),
        ("attribute_path", pa.string()),
        ("attribute_type", pa.string()),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", tz="UTC")),
        ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        (
            "histogram_value",
            pa.struct(
                [
                    ("type", pa.string()),
                    ("edges", pa.list_(pa.float64())),
                    ("values", pa.list_(pa.float64())),
                ]
            ),
        ),
    ]
)
STARTED = dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)
PROJECT = "workspace/digits"
FOLDER = "workspace_digits-0123456789abcdef"


def attribute(path: str, kind: str, value: Any) -> dict[str, Any]:
    """Return an attribute of one value."""
    column = f"{kind}_value"
    return {"attribute_path": path, "attribute_type": kind, column: value}


def point(path: str, step: float, value: Any, kind: str = "float") -> dict[str, Any]:
    """Return a point of a series, a second after the one before it."""
    time = STARTED + dt.timedelta(seconds=float(step))
    series = {"attribute_path": path, "attribute_type": f"{kind}_series", "timestamp": time}
    return {**series, "step": Decimal(str(step)).quantize(Decimal("0.000001")), f"{kind}_value": value}


def all_kinds() -> Iterator[dict[str, Any]]:
    """Yield the attributes of a run with all kinds of them."""
    yield attribute("sys/name", "string", "first run")
    yield attribute("sys/tags", "string_set", ["a", "b"])
    yield attribute("sys/creation_time", "datetime", STARTED)
    yield attribute("sys/failed", "bool", False)  # noqa: FBT003
    yield attribute("sys/owner", "string", "me")
    yield attribute("parameters/lr", "float", 0.1)
    yield attribute("parameters/epochs", "int", 10)
    yield attribute("parameters/opt/name", "string", "adam")
    yield attribute("data/test.txt", "file", {"path": "RUN-1/data/test.txt"})
    yield attribute("data/gone.txt", "file", None)
    for step in range(10):
        yield point("metrics/loss", step, 1 / (step + 1))
    for step in range(0, 10, 2):
        yield point("metrics/acc", step, step / 10)
    yield point("metrics/fine", 2.5, 7.0)
    yield point("monitoring/0a/cpu", 3, 12.5)
    yield point("monitoring/0a/stdout", 1, "line 0\nline 1\n", "string")
    yield point("notes", 4, "good", "string")
    yield point("weights", 5, {"type": "COUNTING", "edges": [0.0, 1.0, 2.0], "values": [3.0, 4.0]}, "histogram")


def write(root: Path, run_id: str, attributes: Iterable[Mapping[str, Any]], parts: int = 2) -> list[Path]:
    """Write the parts of a run below a folder of data; return their paths."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"project_id": PROJECT, "run_id": run_id, **one} for one in attributes]
    size = -(-len(rows) // parts)
    paths = []
    for number in range(parts):
        paths.append(folder / f"{run_id}-0123456789abcdef_part_{number}.parquet")
        table = pa.Table.from_pylist(rows[number * size : (number + 1) * size], SCHEMA)
        pq.write_table(table, paths[-1], compression="snappy")
    return paths
