"""The shipper, from a full spool to the last acknowledgement, compared with a bare producer of the same blocks."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any

import runstream
from tests.benchmarks.blocks import SHAPES, row
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.rig import Rig, python, rig
from tests.benchmarks.sampling import ratio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.scale import Scale

#: Million points per second.
BARS = {"10 x 10": 0.6, "200 x 20": 1.5}
ROWS = {"10 x 10": 200_000, "200 x 20": 200_000}


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield million points per second, and the ratio to a bare producer."""
    with rig(scale.folder) as servers:
        for name, (block_rows, keys) in SHAPES.items():
            count = ROWS[name] // scale.of(1, 20)
            shipped: list[dict[str, float]] = []
            sent: list[dict[str, float]] = []
            for number in range(scale.of(5, 1)):
                folder = filled(scale.folder / f"{block_rows}-{number}", count, keys)
                shipped.append(_measured(servers, "--folder", folder, "--block-rows", block_rows))
                sent.append(_raw(servers, count, keys, block_rows))
            yield from _figures(name, count * keys, shipped, sent)


def _figures(name: str, points: int, shipped: list[dict[str, float]], sent: list[dict[str, float]]) -> Iterator[Figure]:
    seconds, cpu = median(result["seconds"] for result in shipped), median(result["cpu"] for result in shipped)
    limit = at_least(BARS[name])
    note = "by wall time, from start to the end of the run"
    yield Figure(f"shipper {name}", points / seconds / 1e6, "M points/s", bar=limit, note=note)
    yield Figure(f"shipper {name}, per core", points / cpu / 1e6, "M points/s", bar=limit, note="by its CPU time")
    slower = ratio([result["seconds"] for result in shipped], [result["seconds"] for result in sent])
    yield Figure(f"shipper {name} / bare producer", slower, note="time; the same blocks, encoded beforehand")
    peak = max(result["peak"] for result in shipped)
    yield Figure(f"shipper {name} memory", peak, "MiB", bar=at_most(100), note="peak, with the whole run in the spool")


def filled(folder: Path, count: int, keys: int) -> Path:
    """Return the folder of an offline run with the given number of rows."""
    settings = {"silent": True, "console": "off", "x_disable_stats": True}
    run = runstream.init(project="bench", dir=folder, mode="offline", settings=settings)
    for number in range(count):
        run.log(row(number, keys))
    run.finish()
    return next((folder / "runstream").glob("run-*"))


def _raw(servers: Rig, count: int, keys: int, block_rows: int) -> dict[str, float]:
    size = ("--rows", count, "--keys", keys, "--block-rows", block_rows)
    return _measured(servers, "--broker", servers.broker, "--topic", f"{servers.new_topics()}.log", *size)


def _measured(servers: Rig, *arguments: object) -> dict[str, float]:
    found: dict[str, Any] = json.loads(python("-m", "tests.benchmarks.ship", *arguments, environment=servers.client))
    return found
