"""An exact definition without aggregates against a glob with some; and the other way round."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("v/*", summary="min", step_metric="e", hidden=True)
    run.define_metric("v/a")
    run.define_metric("v/b", hidden=False)
    run.define_metric("v/c", step_metric="f")
    run.define_metric("v/d", summary="max")
    run.log({"e": 1, "f": 2})
    for v in (3, 1, 2):
        run.log({"v/a": v})
        run.log({"v/b": v})
        run.log({"v/c": v})
        run.log({"v/d": v})
        run.log({"v/z": v})
    run.finish()
