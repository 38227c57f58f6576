"""Log ten scalars at a fixed rate, and record when each call began and how long it lasted. Runs as a process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import runstream
from tests.benchmarks.blocks import rows


def main() -> None:
    """Run with the folder, the run's id, rows per second and seconds."""
    folder, run_id, rate, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    content = rows(0, 1000, 10)
    run = runstream.init(project="bench", id=run_id, dir=folder, settings={"silent": True})
    begin, calls = time.monotonic(), []
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        values = content[number % 1000]
        began = time.perf_counter_ns()
        run.log(values)
        calls.append((time.time(), time.perf_counter_ns() - began))
    (folder / "calls.json").write_text(json.dumps(calls))
    run.finish()


if __name__ == "__main__":
    main()
