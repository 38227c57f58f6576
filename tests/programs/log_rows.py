"""Log rows, and write each accepted row to a journal that is independent of Runstream.

The journal is the expected result of a recount: a line is written only after ``log()`` has returned. Values are
computed from label, row and key, so that they are exact and all different.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

import runstream


def values(label: str, row: int, metrics: int) -> dict[str, float]:
    """Return the values of a row, which are different binary fractions."""
    base = (int(label or 0) * 1_000_003 + row) * 64
    return {f"metric_{number}": (base + number) / 1024 for number in range(metrics)}


def main() -> None:
    """Log rows according to the arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", default="tests")
    parser.add_argument("--id", required=True)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--metrics", type=int, default=3)
    parser.add_argument("--label", default="")
    parser.add_argument("--mode", default="online")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--latencies", type=Path, help="file for the nanoseconds of each log()")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between rows")
    ends = ["finish", "exit", "raise", "kill", "segfault", "wait", "hard-exit", "preempted"]
    parser.add_argument("--end", choices=ends, default="finish")
    parser.add_argument("--code", type=int, default=0)
    arguments = parser.parse_args()

    settings = {"x_label": arguments.label, "x_primary": arguments.label in ("", "0")}
    if arguments.journal:
        # The journal names the entity, which the server knows; on a busy machine it answers after the default of 0.5 s.
        settings["connect_timeout_s"] = 60
    run = runstream.init(project=arguments.project, id=arguments.id, mode=arguments.mode, settings=settings)
    journal = os.open(arguments.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if arguments.journal else None
    path = f"{run.entity}/{run.project}/{run.id}"
    spent: list[int] = []
    for row in range(arguments.rows):
        row_values = values(arguments.label, row, arguments.metrics)
        begun = time.perf_counter_ns()
        run.log(row_values)
        spent.append(time.perf_counter_ns() - begun)
        if journal is not None:
            line = {
                "run": path,
                "writer": arguments.label,
                "pid": os.getpid(),
                "row": row,
                "step": row,
                "values": row_values,
            }
            os.write(journal, json.dumps(line).encode() + b"\n")
        if arguments.pause:
            time.sleep(arguments.pause)
    if arguments.latencies:
        arguments.latencies.write_text(json.dumps(spent))
    print("logged", arguments.rows, flush=True)  # noqa: T201 - also tests console capture
    _end(run, arguments.end, arguments.code)


def _end(run: runstream.Run, end: str, code: int) -> None:
    match end:
        case "finish":
            run.finish(exit_code=code)
        case "exit":
            sys.exit(code)
        case "raise":
            raise RuntimeError("the loss is not a number")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "preempted":
            run.mark_preempting()
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hard-exit":
            os._exit(code)
        case "wait":
            while True:
                signal.pause()


if __name__ == "__main__":
    main()
