"""Begin a run as told, write down what it says of itself, do what is told with it, and end as told.

Arguments: one JSON object of ``init`` (arguments), ``define`` (arguments of define_metric), ``rows`` (data, or data and
step), ``summary`` (set by hand), ``config`` (updates), ``end`` (finish, raise,
kill, or wait for a file ``go`` and finish).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import runstream


def main() -> None:
    """Do what the argument says."""
    told = json.loads(sys.argv[1])
    facts: dict[str, Any] = {}
    try:
        run = runstream.init(project="tests", **told.get("init", {}))
        facts |= facts_of(run)
        work(run, told)
        facts["after"] = run.summary.as_dict()
        end(run, told.get("end", "finish"))
    except Exception as error:
        facts["error"] = [type(error).__name__, str(error)]
        raise
    finally:
        Path("facts.json").write_text(json.dumps(facts))


def facts_of(run: runstream.Run) -> dict[str, Any]:
    """Return what a run says of itself."""
    return {
        "id": run.id,
        "resumed": run.resumed,
        "starting_step": run.starting_step,
        "step": run.step,
        "summary": run.summary.as_dict(),
        "config": run.config.as_dict(),
        "name": run.name,
        "notes": run.notes,
        "tags": list(run.tags),
    }


def work(run: runstream.Run, told: dict[str, Any]) -> None:
    """Define, log, set and change."""
    for metric in told.get("define", []):
        run.define_metric(**metric)
    for row in told.get("rows", []):
        if isinstance(row, dict):
            run.log(row)
        else:
            run.log(row[0], step=row[1])
    if "summary" in told:
        run.summary.update(told["summary"])
    if "config" in told:
        run.config.update(told["config"])


def end(run: runstream.Run, how: str) -> None:
    """End in one of the ways."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "wait":
        deadline = time.monotonic() + 60
        while not Path("go").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    if how == "raise":
        raise RuntimeError("as told")
    run.finish()


if __name__ == "__main__":
    main()
