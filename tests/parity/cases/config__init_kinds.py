"""config= at init as Namespace, OrderedDict, None, an empty dict."""
import argparse
import collections
from kit import attempt

RUNS = ["r1", "r2", "r3", "r4"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    got = {}
    values = {"r1": argparse.Namespace(a=1, n={"x": [1]}), "r2": collections.OrderedDict(b=2), "r3": None, "r4": {}}
    for rid, value in values.items():
        def go():
            run = tracker.init(project="p", id=rid, config=value, **kwargs)
            got = dict(run.config)
            run.finish()
            return got
        got[rid] = attempt(tracker, go)
    return got
