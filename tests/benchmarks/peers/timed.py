"""Shared by the programs of this folder, which run without this repository in their path."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def row(number: int) -> dict[str, float]:
    """Return ten scalars, as in the other benchmarks."""
    return {f"train/metric_{key}": (number * 7919 + key) / 1013 for key in range(10)}


def time_calls(log: Callable[[dict[str, float], int], object], calls: int) -> None:
    """Log rows like a training loop, and print the nanoseconds of each call."""
    rows = [row(number) for number in range(calls)]
    for number in range(20):
        log(rows[number % calls], number)
    spent = []
    for number, values in enumerate(rows, 20):
        begin = time.perf_counter_ns()
        log(values, number)
        spent.append(time.perf_counter_ns() - begin)
    sys.stdout.write(f"\n{json.dumps(spent)}\n")
    sys.stdout.flush()
