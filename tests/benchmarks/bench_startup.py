"""Times of starting and ending: the stack, ``import``, ``init()``, ``finish()``."""

from __future__ import annotations

import json
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from runstream_deploy.processes.ports import choose_port
from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.rig import python
from tests.benchmarks.sampling import measure_in_turns
from tests.running_stack import clean_environment, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

#: Seconds that ``finish()`` may wait if no server answers.
LIMIT = 2.0


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield seconds and milliseconds."""
    reaper = Reaper()
    try:
        yield from _with_stack(scale, reaper)
    finally:
        reaper.close()
    yield from _without_stack(scale)
    yield from _import(scale)


def _with_stack(scale: Scale, reaper: Reaper) -> Iterator[Figure]:
    for name in ("cold", "warm"):
        begin = time.monotonic()
        with running_stack(scale.folder / "stack", reaper, {}) as stack:
            note = "new data folder; jars and class archive exist" if name == "cold" else "the same data folder"
            yield Figure(f"stack up, {name}", time.monotonic() - begin, "s", note=note)
            if name == "warm":
                results = [_times(scale, f"up-{number}", stack.environment, 60) for number in range(scale.of(7, 2))]
    yield Figure("init(), stack up", median(result["init"] for result in results) * 1000, "ms")
    yield Figure(
        "finish(), stack up", median(result["finish"] for result in results) * 1000, "ms", note="until delivered"
    )


def _without_stack(scale: Scale) -> Iterator[Figure]:
    unreachable = {
        **clean_environment(),
        "RUNSTREAM_URL": f"http://127.0.0.1:{choose_port()}",
        "RUNSTREAM_API_KEY": "x",
    }
    results = [_times(scale, f"down-{number}", unreachable, LIMIT) for number in range(scale.of(5, 1))]
    begun, ended = max(result["init"] for result in results), max(result["finish"] for result in results)
    yield Figure("init(), everything down", begun * 1000, "ms", bar=at_most(1000), note="the slowest")
    yield Figure("finish(), everything down", ended / LIMIT, bar=at_most(1.2), note=f"the slowest / limit of {LIMIT} s")


def _times(scale: Scale, name: str, environment: dict[str, str], limit: float) -> dict[str, float]:
    folder = scale.folder / name
    folder.mkdir()
    environment = {**environment, "XDG_CACHE_HOME": str(scale.folder / "cache")}
    found: dict[str, float] = json.loads(
        python("-m", "tests.benchmarks.lifetime", folder, limit, environment=environment)
    )
    return found


def _import(scale: Scale) -> Iterator[Figure]:
    contenders = {
        code: partial(python, "-c", code, environment=clean_environment())
        for code in ("pass", "import runstream", "import runstream; runstream.init", "import numpy")
    }
    found = {
        code: median(samples) for code, samples in measure_in_turns(contenders, calls=1, rounds=scale.of(9, 3)).items()
    }
    for code in list(contenders)[1:]:
        yield Figure(f"`{code}`", (found[code] - found["pass"]) * 1000, "ms", note="in addition to a bare interpreter")
