"""Aim: the sequences of its repository. Its server indexes runs; here it is done before reading."""

from __future__ import annotations

import sys
from typing import Any

from aim import Repo, Run  # type: ignore[import-not-found]
from reads import KEYS, POINTS, report, row  # type: ignore[import-not-found]

folder, runs, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(runs):
    run = Run(repo=folder, system_tracking_interval=None, log_system_params=False, capture_terminal_logs=False)
    for step in range(rows):
        run.track(row(number, step), step=step)
    run.close()
Repo.from_path(folder)._recreate_index()  # noqa: SLF001 - there is no other call
repo = Repo.from_path(folder)
metrics = [one for found in repo.query_metrics(f"metric.name == '{KEYS[0]}'").iter_runs() for one in found]


def sampled(of: list[Any]) -> int:
    """Return how many points of metrics were read."""
    return sum(len(one.data.view("val").sample(POINTS).values_list()[0]) for one in of)


report(
    {
        "scan": lambda: len(list(zip(*(part.tolist() for part in metrics[0].values.sparse_numpy()), strict=True))),
        "chart": lambda: sampled(metrics[:1]),
        "curves": lambda: sampled(metrics),
    }
)
