"""Start a run, log a few rows, finish it, and print the time of each step. Runs as a process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import runstream


def main() -> None:
    """Run with a folder and the seconds that ``finish()`` may wait."""
    settings = {"silent": True, "finish_timeout_s": float(sys.argv[2])}
    begin = time.monotonic()
    run = runstream.init(project="bench", dir=Path(sys.argv[1]), settings=settings)
    began = time.monotonic()
    for number in range(100):
        run.log({"loss": 1 / (number + 1)})
    logged = time.monotonic()
    run.finish()
    sys.stdout.write(json.dumps({"init": began - begin, "finish": time.monotonic() - logged}))


if __name__ == "__main__":
    main()
