"""Set by hand while a row is open, in all orders."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.log({"a": 1, "b": 1, "n": {"x": 1}}, commit=False)
    run.summary["a"] = 10
    run.log({"b": 2})
    run.summary["b"] = 20
    run.log({"n": {"x": 2}}, step=5)
    run.summary["n"] = {"y": 5}
    run.log({"c": 1}, step=5)
    run.log({"d": 1})
    run.summary.update({"c": 30})
    run.finish()
