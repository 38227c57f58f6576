"""Aggregates over rows whose calls are joined: a row counts once."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("m", summary="min,max,mean,first,last")
    run.log({"m": 5}, commit=False)
    run.log({"m": 1}, commit=False)
    run.log({"m": 3})
    run.log({"m": 7}, step=5)
    run.log({"m": 9}, step=5)
    run.log({"m": 4}, step=6)
    run.finish()
