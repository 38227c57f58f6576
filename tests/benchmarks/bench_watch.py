"""A training step with and without ``watch()``, between two samples. Requires torch."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.bench_log import offline_run
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.sampling import measure_in_turns, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

#: Layers and width: small ones, where hooks cost most, and some of a usual size.
SHAPES = {"4 layers of 64": (4, 64), "12 layers of 512": (12, 512)}


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the ratio of a watched step to an unwatched one."""
    if find_spec("torch") is None:
        sys.stderr.write("  SKIPPED: torch is not installed\n")
        return
    import torch  # noqa: PLC0415 - see above

    torch.set_num_threads(1)
    for name, (layers, width) in SHAPES.items():
        plain, watched = (_network(torch, layers, width) for _ in range(2))
        inputs = torch.randn(64, width)
        with offline_run(scale.folder) as run:
            run.watch(watched, log="all", log_freq=1_000_000_000)
            found = measure_in_turns(
                {"plain": partial(_step, plain, inputs), "watched": partial(_step, watched, inputs)},
                calls=scale.of(100, 20),
                rounds=scale.of(30, 5),
            )
        parameters = sum(1 for _ in watched.parameters())
        note = f"{median(found['plain']) * 1e6:.0f} µs per step, {parameters} parameters, one thread"
        yield Figure(
            f"step with watch(), {name}", ratio(found["watched"], found["plain"]), bar=at_most(1.05), note=note
        )


def _network(torch: Any, layers: int, width: int) -> Any:
    return torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(layers)))


def _step(model: Any, inputs: Any) -> None:
    model.zero_grad()
    model(inputs).sum().backward()
