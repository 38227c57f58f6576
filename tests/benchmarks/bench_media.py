"""Images of a megapixel in ``log()``, compared with a copy of the array and with other trackers."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.bench_peers import PROGRAMS, environment
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.running_stack import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.scale import Scale

PEERS = {"wandb_images": "W&B offline", "trackio_images": "Trackio"}
LAYOUTS = {"float32": "floats, channels in front", "flipped": "a view with the colors in reverse order"}
_Spent = dict[str, list[float]]


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the cost of an image in copies of its array, and the ratios of other trackers' calls to ours."""
    peers = PEERS if environment(scale) else {}
    spent: dict[str, _Spent] = {}
    programs: Mapping[str, Sequence[str]] = {
        "delivered": ["runstream_images", "delivered"],
        **{layout: ["runstream_images", "delivered", layout] for layout in LAYOUTS},
        "kept": ["runstream_images"],
        **{name: [name] for name in peers},
    }
    for number in range(scale.of(3, 1)):
        for name, program in programs.items():
            for what, values in _run(scale, f"{name}-{number}", *program).items():
                spent.setdefault(name, {"copy": [], "log": []})[what] += values
    ours = median(spent["delivered"]["log"])
    note = f"{ours / 1000:.0f} µs; the copy {median(spent['delivered']['copy']) / 1000:.0f} µs"
    yield Figure("log(Image) / copy of 1024 x 1024 x 3", _copies(spent["delivered"]), bar=at_most(2), note=note)
    for layout, what in LAYOUTS.items():
        yield Figure(f"log(Image) / copy: {what}", _copies(spent[layout]), bar=at_most(2))
    note = "new pages of the file system for each image"
    yield Figure("log(Image) / copy, nothing delivered", _copies(spent["kept"]), note=note)
    for name, shown in peers.items():
        theirs = median(spent[name]["log"])
        yield Figure(f"{shown} / our log(Image)", theirs / ours, bar=at_least(1), note=f"{theirs / 1e6:.3g} ms")


def _copies(spent: _Spent) -> float:
    """Return the median of calls relative to the copies next to them."""
    return median(log / copy for log, copy in zip(spent["log"], spent["copy"], strict=True))


def _run(scale: Scale, name: str, program: str, *arguments: str) -> _Spent:
    folder = scale.folder / name
    folder.mkdir()
    interpreter = str(scale.peers / "bin" / "python") if program in PEERS else sys.executable
    calls = scale.of(10, 3) if program in PEERS else scale.of(60, 5)  # peers encode, for up to seconds a call
    command = [interpreter, str(PROGRAMS / f"{program}.py"), str(folder), str(calls), *arguments]
    environ = {**clean_environment(), "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    found: _Spent = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"copy"')))
    return found
