"""Several runs open at the end of the script: each is finished; an uncaught error fails all."""
PROPAGATE = True
RUNS = ["r1", "r2"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    a = tracker.init(project="p", id="r1", **kwargs)
    b = tracker.init(project="p", id="r2", reinit="create_new", **kwargs)
    a.log({"a": 1})
    b.log({"b": 1}, commit=False)
    raise RuntimeError("x")
