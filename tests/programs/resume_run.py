"""Start or resume a run according to a plan, write its properties to ``facts.json``, change it, and end it.

The argument is a JSON object with ``init`` (arguments), ``define`` (arguments of define_metric), ``rows`` (data, or
data and step), ``summary`` (values to set), ``config`` (updates), and ``end`` (``finish``, ``raise``, ``kill``, or
``wait`` for a file ``go`` and finish).
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
    """Run the plan."""
    plan = json.loads(sys.argv[1])
    facts: dict[str, Any] = {}
    try:
        run = runstream.init(project="tests", **plan.get("init", {}))
        facts |= facts_of(run)
        change(run, plan)
        facts["after"] = run.summary.as_dict()
        end(run, plan.get("end", "finish"))
    except Exception as error:
        facts["error"] = [type(error).__name__, str(error)]
        raise
    finally:
        Path("facts.json").write_text(json.dumps(facts))


def facts_of(run: runstream.Run) -> dict[str, Any]:
    """Return the properties of a run."""
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


def change(run: runstream.Run, plan: dict[str, Any]) -> None:
    """Define metrics, log rows, and change summary and config."""
    for metric in plan.get("define", []):
        run.define_metric(**metric)
    for row in plan.get("rows", []):
        if isinstance(row, dict):
            run.log(row)
        else:
            run.log(row[0], step=row[1])
    if "summary" in plan:
        run.summary.update(plan["summary"])
    if "config" in plan:
        run.config.update(plan["config"])


def end(run: runstream.Run, how: str) -> None:
    """End the run."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "wait":
        deadline = time.monotonic() + 60
        while not Path("go").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    if how == "raise":
        raise RuntimeError("as planned")
    run.finish()


if __name__ == "__main__":
    main()
