"""Invalid tags set while running."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", tags=["a"], **run_kwargs)
    got = {}
    for name, tags in {"empty": ("",), "long": ("x" * 65,), "mixed": ("ok", "")}.items():
        got[name] = attempt(tracker, setattr, run, "tags", tags)
        got[name].get("raised", {}).pop("message", None)
        got[name + "_after"] = run.tags
    run.finish()
    return got
