"""Log to a shared run from many processes of one folder: this one, and children that it forks a few at a time."""

from __future__ import annotations

import argparse
import os

import runstream

#: Children at work at once.
AT_ONCE = 8


def main() -> None:
    """Log as many rows from as many writers as the arguments say; each value names its writer and its row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--first", type=int, required=True, help="number of the first writer, this process")
    parser.add_argument("--writers", type=int, default=1)
    parser.add_argument("--rows", type=int, default=3)
    arguments = parser.parse_args()

    run = runstream.init(project="tests", id=arguments.id, mode="shared", settings={"console": "off"})
    waiting: list[int] = []
    for writer in range(arguments.first + 1, arguments.first + arguments.writers):
        if len(waiting) == AT_ONCE:
            os.waitpid(waiting.pop(0), 0)
        pid = os.fork()
        if not pid:
            log(run, writer, arguments.rows)
            os._exit(0)
        waiting.append(pid)
    for pid in waiting:
        os.waitpid(pid, 0)
    log(run, arguments.first, arguments.rows)
    run.finish()


def log(run: runstream.Run, writer: int, rows: int) -> None:
    """Log the rows of a writer."""
    for row in range(rows):
        run.log({"writer": writer, "row": row})


if __name__ == "__main__":
    main()
