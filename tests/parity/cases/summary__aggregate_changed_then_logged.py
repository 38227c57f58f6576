"""An aggregate changed or deleted by hand, then more rows."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("m", summary="min,max")
    run.define_metric("d", summary="min")
    run.define_metric("k", summary="last")
    for v in (3, 1, 2):
        run.log({"m": v, "d": v, "k": v, "plain": v})
    run.summary["m"]["min"] = -5
    del run.summary["d"]
    run.summary["k"] = None
    del run.summary["plain"]
    run.log({"m": 7, "d": 7, "k": 7})
    run.finish()
