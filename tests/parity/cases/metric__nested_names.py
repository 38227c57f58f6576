"""Definitions reach nested and dotted keys, with every aggregation."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("train.loss", summary="min,max")
    run.define_metric("val.*", summary="last")
    run.define_metric("deep.a.b", summary="first")
    run.define_metric("sl/x", summary="max")
    for v in (3, 1, 2):
        run.log({"train": {"loss": v, "acc": v}, "val": {"x": v, "y": {"z": v}}, "deep": {"a": {"b": v, "c": v}}, "sl/x": v, "sl": {"x": v}})
    run.finish()
