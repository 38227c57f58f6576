"""Arguments by position and by name; a return value; unknown arguments."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = [attempt(tracker, run.log, {"a": 1}, 3), attempt(tracker, run.log, {"a": 2}, 5, True), attempt(tracker, run.log, data={"a": 3}), attempt(tracker, run.log, {"a": 4}, None, None), attempt(tracker, run.log, {"a": 4}, nonsense=1), attempt(tracker, run.log)]
    run.finish()
    return [("ok" if "ok" in g else g["raised"]["builtin"]) for g in got]
