"""One rank of a shared run. It prints, forks a child that prints, logs a row, and runs until a file exists."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import runstream


def main() -> None:
    """Run the rank that is set in the environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--until", type=Path, required=True)
    arguments = parser.parse_args()

    settings = {"x_stats_sampling_interval": 0.2}
    run = runstream.init(project="tests", id=arguments.id, mode="shared", settings=settings)
    print("hello", flush=True)  # noqa: T201 - tests console capture
    if not (child := os.fork()):
        print("hello from a child", flush=True)  # noqa: T201
        os._exit(0)
    os.waitpid(child, 0)
    run.log({"loss": 1.0, "child": child})
    while not arguments.until.exists():
        time.sleep(0.05)
    run.finish()


if __name__ == "__main__":
    main()
