"""Call ``log()`` and finish. Arguments: the id of the run; a JSON list of calls, each with data, step and commit."""

from __future__ import annotations

import json
import sys

import runstream


def main() -> None:
    """Make the calls."""
    with runstream.init(project="tests", id=sys.argv[1]) as run:
        for data, step, commit in json.loads(sys.argv[2]):
            run.log(data, step, commit)


if __name__ == "__main__":
    main()
