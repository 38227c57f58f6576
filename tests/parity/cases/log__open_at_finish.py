"""Open rows of an explicit step at the end of the run."""
RUNS = ["r1", "r2", "r3"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    run = tracker.init(project="p", id="r1", **kwargs)
    run.log({"a": 1}, step=4)
    run.finish()
    with tracker.init(project="p", id="r2", **kwargs) as run:
        run.log({"a": 1}, commit=False)
        run.log({"a": 2, "b": 1}, commit=False)
    with tracker.init(project="p", id="r3", **kwargs) as run:
        run.log({}, commit=False)
