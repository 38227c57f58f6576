"""Log to a shared run from many processes in one folder: this one and forked children, a few at a time."""

from __future__ import annotations

import argparse
import os

import runstream

#: How many children run at the same time.
MAX_CHILDREN = 8


def main() -> None:
    """Log rows from several writers. The values of a row are the numbers of its writer and of the row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--first", type=int, required=True, help="number of the first writer, which is this process")
    parser.add_argument("--writers", type=int, default=1)
    parser.add_argument("--rows", type=int, default=3)
    arguments = parser.parse_args()

    run = runstream.init(project="tests", id=arguments.id, mode="shared", settings={"console": "off"})
    waiting: list[int] = []
    for writer in range(arguments.first + 1, arguments.first + arguments.writers):
        if len(waiting) == MAX_CHILDREN:
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
