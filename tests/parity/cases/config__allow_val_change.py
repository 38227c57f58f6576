"""allow_val_change in update, for new and old keys, and what an update refused halfway leaves."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", config={"a": 1, "b": 1, "l": [1], "t": 1}, **run_kwargs)
    c = run.config
    got = {
        "halfway": attempt(tracker, c.update, {"new": 1, "a": 2, "later": 3}),
        "after_halfway": dict(c),
        "allowed": attempt(tracker, lambda: c.update({"a": 5, "x": 6}, allow_val_change=True)),
        "list_same": attempt(tracker, c.update, {"l": [1]}), "tuple_same": attempt(tracker, c.update, {"l": (1,)}),
        "float_same": attempt(tracker, c.update, {"t": 1.0}), "bool_same": attempt(tracker, c.update, {"t": True}), "str": attempt(tracker, c.update, {"t": "1"}),
        "none": attempt(tracker, c.update, {"b": None}),
        "positional": attempt(tracker, c.update, {"b": 9}, True),
        "setdefaults_over": attempt(tracker, c.setdefaults, {"b": 10}),
    }
    for v in got.values():
        v.get("raised", {}).pop("message", None)
    got["end"] = dict(c)
    run.finish()
    return got
