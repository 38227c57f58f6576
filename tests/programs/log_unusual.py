"""Log unusual values and finish."""

from __future__ import annotations

import sys

import runstream


def main() -> None:
    """Log three rows to the run named by the first argument."""
    config = {"note": "nul \0", "deep": {"er": [1, 2]}}
    with runstream.init(project="tests", id=sys.argv[1], config=config) as run:
        run.log(
            {
                "text": "nul \0 and \N{SNOWMAN}",
                "nested": {"a": {"b.c": 1}},
                "nan": float("nan"),
                "inf": float("-inf"),
                "big": 2**70,
            }
        )
        run.log({"long": "x" * 10_000_000})
        run.log({"after": 1})


if __name__ == "__main__":
    main()
