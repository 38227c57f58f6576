"""Apply a list of actions to a run, write ``run.summary`` to a file, and finish."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import runstream
from runstream_schemas import values


def main() -> None:
    """Start the run, apply the actions, and write the summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--shown", type=Path, required=True)
    parser.add_argument("--init", type=json.loads, default={})
    parser.add_argument("actions", type=json.loads)
    options = parser.parse_args()
    run = runstream.init(project="tests", id=options.id, **options.init)
    for name, *arguments in options.actions:
        apply(run, name, *arguments)
    options.shown.write_text(values.dump(run.summary.as_dict()))
    run.finish()


def apply(run: Any, name: str, *arguments: Any) -> None:
    """Apply an action."""
    match name:
        case "log":
            run.log(*arguments)
        case "rows":
            for number in range(*arguments):
                run.log({"loss": 1 / (number + 1), "count": number, "text": f"{number:0100d}"})
        case "define":
            run.define_metric(arguments[0], **arguments[1])
        case "set":
            run.summary.update(arguments[0])
        case "look":
            run.summary.as_dict()
        case "until deleted":
            until_deleted(Path(run.dir).parent)


def until_deleted(folder: Path) -> None:
    """Wait until the shipper has deleted the first segment of this process."""
    (own,) = (path.parent for path in folder.glob("spool/*/writer.json") if '"primary"' in path.read_text())
    deadline = time.monotonic() + 60
    while (own / "00000000.seg").exists():
        assert time.monotonic() < deadline, "The segment still exists"
        time.sleep(0.05)


if __name__ == "__main__":
    main()
