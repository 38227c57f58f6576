"""Log as told, and finish. Arguments: id of the run; JSON list of calls, each data, step and commit."""

from __future__ import annotations

import json
import sys

import runstream


def main() -> None:
    """Do what the arguments say."""
    with runstream.init(project="tests", id=sys.argv[1]) as run:
        for data, step, commit in json.loads(sys.argv[2]):
            run.log(data, step, commit)


if __name__ == "__main__":
    main()
