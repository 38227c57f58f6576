"""Trackio: the logs that its pages read from its SQLite database."""

from __future__ import annotations

import os
import sys

folder, runs, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ["TRACKIO_DIR"] = folder

# The folder is read by the import.
from reads import KEYS, POINTS, report, row  # type: ignore[import-not-found]  # noqa: E402
from trackio.sqlite_storage import SQLiteStorage  # type: ignore[import-not-found]  # noqa: E402

names = [f"run-{number}" for number in range(runs)]
for number, name in enumerate(names):
    for start in range(0, rows, 1000):
        steps = list(range(start, min(start + 1000, rows)))
        SQLiteStorage.bulk_log("bench", name, [row(number, step) for step in steps], steps=steps)


def read(of: list[str], points: int | None) -> int:
    """Return how many values of the first metric of runs were read."""
    return sum(
        len([one[KEYS[0]] for one in SQLiteStorage.get_logs("bench", name, max_points=points) if KEYS[0] in one])
        for name in of
    )


report(
    {
        "scan": lambda: read(names[:1], None),
        "chart": lambda: read(names[:1], POINTS),
        "curves": lambda: read(names, POINTS),
    }
)
