"""config= at init as a list, number or list of pairs."""
from kit import attempt

RUNS = []


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    got = {}
    for name, value in {"list": [1, 2], "pairs": [("a", 1)], "int": 3, "set": {1}}.items():
        got[name] = attempt(tracker, lambda: tracker.init(project="p", config=value, **kwargs).finish())
        got[name].get("raised", {}).pop("message", None)
    return got
