"""reinit="finish_previous" and reinit=True finish what is active."""
from kit import attempt

RUNS = ["r1", "r2", "r3"]
IGNORE = ["warnings"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    a = tracker.init(project="p", id="r1", **kwargs)
    a.log({"a": 1})
    b = tracker.init(project="p", id="r2", reinit="finish_previous", **kwargs)
    b.log({"b": 1}, commit=False)
    c = tracker.init(project="p", id="r3", reinit=True, **kwargs)
    got = {"a": attempt(tracker, a.log, {"a": 2}), "b": attempt(tracker, b.log, {"b": 2}), "differ": a is not b and b is not c, "module": tracker.run is c}
    c.log({"c": 1})
    c.finish()
    for k in "ab":
        got[k]["raised"].pop("message")
    return got
