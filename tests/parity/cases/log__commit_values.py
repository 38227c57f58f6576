"""commit given as 0, 1, "no", None."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    steps = []
    for i, c in enumerate((0, 1, None, False)):
        r = attempt(tracker, run.log, {f"k{i}": 1}, commit=c)
        steps.append(["ok" if "ok" in r else r["raised"]["builtin"], run.step])
    run.finish()
    return steps
