"""step_sync=False, None and True; several metrics on several axes."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("a", step_metric="ea", step_sync=False)
    run.define_metric("b", step_metric="eb", step_sync=True)
    run.define_metric("c", step_metric="ea")
    run.define_metric("d", step_metric="eb")
    run.log({"ea": 1, "eb": 10})
    run.log({"a": 1})
    run.log({"b": 1})
    run.log({"c": 1})
    run.log({"d": 1, "eb": 11})
    run.log({"a": 1, "b": 2, "c": 3})
    run.log({"zz": 1})
    run.finish()
