"""A call that is refused leaves the open row and the steps as they are."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.log({"a": 1}, commit=False)
    got = []
    for data, kw in [({"bad": range(3)}, {}), ({1: 2}, {}), ([1], {}), ({"x": 1}, {"step": "s"}), ({"bad": object(), "x": 2}, {"step": 5})]:
        r = attempt(tracker, run.log, data, **kw)
        got.append([("ok" in r) or r["raised"]["builtin"] in ("TypeError", "ValueError"), run.step])
    run.log({"b": 2})
    run.finish()
    return got
