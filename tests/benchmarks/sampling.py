"""Measuring on a machine that does other things too: contenders take turns, and medians of many rounds count."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


def take_turns(
    contenders: Mapping[str, Callable[[], object]],
    *,
    calls: int,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return seconds a call of each contender, one number a round; the order changes from round to round.

    With ``time.process_time`` for a clock, what the machine does besides counts less.
    """
    names = list(contenders)
    found: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # whatever is imported, allocated or cached at first use
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
    """Return the nanoseconds of each call, one an argument."""
    clock = time.perf_counter_ns
    found = []
    for argument in arguments:
        begin = clock()
        call(argument)
        found.append(clock() - begin)
    return found


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how much one is of the other: the median over rounds of what ran next to each other."""
    return median(mine / theirs for mine, theirs in zip(one, other, strict=True))


def percentile(samples: Sequence[float], part: float) -> float:
    """Return the sample below which a part (0 to 1) of all lies."""
    ordered = sorted(samples)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]
