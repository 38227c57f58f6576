"""Setting keys of init to the same value by item and attribute, nested and lists, is no change."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", config={"a": 1, "l": [1, 2], "n": {"x": {"y": 1}}, "s": "t"}, **run_kwargs)
    c = run.config
    got = {
        "item": attempt(tracker, c.__setitem__, "a", 1), "attr": attempt(tracker, setattr, c, "s", "t"), "list": attempt(tracker, c.__setitem__, "l", [1, 2]),
        "list_longer": attempt(tracker, c.__setitem__, "l", [1, 2, 3]), "nested": attempt(tracker, c.__setitem__, "n", {"x": {"y": 1}}), "nested_other": attempt(tracker, c.__setitem__, "n", {"x": {"y": 2}}),
        "nested_new": attempt(tracker, c.__setitem__, "n", {"z": 1}),
    }
    for v in got.values():
        v.get("raised", {}).pop("message", None)
    got["end"] = dict(c)
    run.finish()
    return got
