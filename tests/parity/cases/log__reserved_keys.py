"""Reserved keys of the reference in the data."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.log({"_step": 5, "_timestamp": 1.5, "_runtime": 3, "a": 1})
    run.log({"_step": 9})
    run.log({"b": 2})
    run.log({"n": {"_step": 3, "_x": 1, "_timestamp_x": 2}})
    run.log({"step": 2, "global_step": 3, "epoch": 1}, step=10)
    step = run.step
    run.finish()
    return step
