"""Aggregates read in the process, changed and deleted by hand."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("m", summary="min,max")
    run.define_metric("q", summary="mean")
    run.define_metric("d", summary="min")
    for v in (3, 1, 2):
        run.log({"m": v, "q": v, "d": v})
    s = run.summary
    got = {"item": attempt(tracker, lambda: s["m"]["min"]), "attr": attempt(tracker, lambda: s.m.max), "get": attempt(tracker, lambda: s.get("m")["max"]), "mean": attempt(tracker, lambda: s["q"]["mean"])}
    s["m"]["min"] = -5
    s["q"] = {"mean": 100}
    del s["d"]
    run.finish()
    return got
