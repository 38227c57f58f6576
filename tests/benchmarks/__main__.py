"""``python -m tests.benchmarks [NAME …] [--quick]``: measure and print one table. Slow results are not failures."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: In the order in which they run. Each is a module ``bench_NAME`` with a function ``measure(scale)``.
NAMES = (
    "contract",
    "log",
    "growth",
    "peers",
    "media",
    "startup",
    "watch",
    "crash",
    "shipper",
    "consumers",
    "neighbors",
    "read",
    "archive",
    "curves",
    "readers",
    "runs",
    "outage",
    "upload",
    "kills",
    "table",
    "idle",
)
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help=f"benchmarks, default all: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="use small sizes, to check that they work")
    parser.add_argument("--install", action="store_true", help="install the other trackers into .cache/bench-venv")
    parser.add_argument("--folder", type=Path, help="folder to write to; the folder for temporary files by default")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runstream-bench-", dir=arguments.folder) as folder:
        scale = Scale(
            folder=Path(folder),
            peers=ROOT / ".cache" / "bench-venv",
            quick=arguments.quick,
            install=arguments.install,
        )
        failed: list[str] = []
        load = os.getloadavg()[0]
        figures = list(_measure(arguments.names or NAMES, scale, failed))
    sys.stdout.write(f"\n{machine()}; load {load:.1f} at the start\n\n{table(figures)}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps([figure.as_json() for figure in figures], indent=1) + "\n")
    if failed:
        sys.stdout.write(f"\nFAILED: {', '.join(failed)}\n")
    return 1 if failed else 0


def _measure(names: Sequence[str], scale: Scale, failed: list[str]) -> Iterator[Figure]:
    """Yield the figures of each benchmark; an exception is printed, and the others continue."""
    for name in names:
        begin = time.monotonic()
        sys.stderr.write(f"{name} …\n")
        (own := scale.folder / name).mkdir()
        try:
            for figure in import_module(f"tests.benchmarks.bench_{name}").measure(replace(scale, folder=own)):
                sys.stderr.write(f"  {figure.name}: {figure.value:.4g} {figure.unit} {figure.verdict} {figure.note}\n")
                yield figure
        except Exception:  # noqa: BLE001 - for example, a server that does not start
            failed.append(name)
            traceback.print_exc()
        sys.stderr.write(f"{name}: {time.monotonic() - begin:.0f} s\n")


def machine() -> str:
    """Return a description of the machine in one line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores; Linux {platform.release()}; Python {platform.python_version()}"


if __name__ == "__main__":
    raise SystemExit(main())
