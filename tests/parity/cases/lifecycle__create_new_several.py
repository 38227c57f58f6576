"""Several runs by create_new: which is the module's, and after each is finished."""
RUNS = ["r1", "r2", "r3"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    got = []
    def now():
        got.append(tracker.run and tracker.run.id)
    a = tracker.init(project="p", id="r1", reinit="create_new", **kwargs)
    now()
    b = tracker.init(project="p", id="r2", **kwargs)
    now()
    c = tracker.init(project="p", id="r3", reinit="create_new", **kwargs)
    now()
    b.finish()
    now()
    a.log({"a": 1})
    c.log({"c": 1})
    a.finish()
    c.finish(1)
    now()
    return got
