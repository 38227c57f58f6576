"""Measuring on a busy machine: contenders are called in turns, and results are medians of many rounds."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


def measure_in_turns(
    contenders: Mapping[str, Callable[[], object]],
    *,
    calls: int,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return seconds per call of each contender, one number for each round. The order changes from round to round.

    With ``time.process_time`` as clock, other load on the machine has less effect.
    """
    names = list(contenders)
    found: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # imports, allocations and caches of the first use
        contenders[name]()
    for _ in range(rounds):
        random.shuffle(names)
        for name in names:
            found[name].append(_seconds(contenders[name], calls, clock))
    return found


def _seconds(call: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    begin = clock()
    for _ in range(calls):
        call()
    return (clock() - begin) / calls


def latencies(call: Callable[[T], object], arguments: Iterable[T]) -> list[int]:
    """Return the nanoseconds of each call, one call for each argument."""
    clock = time.perf_counter_ns
    found = []
    for argument in arguments:
        begin = clock()
        call(argument)
        found.append(clock() - begin)
    return found


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the ratio of two contenders: the median over rounds of samples measured next to each other."""
    return median(mine / theirs for mine, theirs in zip(one, other, strict=True))


def percentile(samples: Sequence[float], part: float) -> float:
    """Return the sample at a quantile (0 to 1)."""
    ordered = sorted(samples)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]
