"""config_include_keys keeps only those; config_exclude_keys leaves those out; keys that are not there."""
from kit import attempt

RUNS = ["r1", "r2", "r3"]
IGNORE = ["warnings"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    config = {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}
    got = {}
    for rid, more in {"r1": {"config_include_keys": ["a", "b", "zz"]}, "r2": {"config_exclude_keys": ["a", "zz"]}, "r3": {"config_exclude_keys": ["b.c"]}}.items():
        run = tracker.init(project="p", id=rid, config=config, **more, **kwargs)
        run.config["later"] = 1
        got[rid] = dict(run.config)
        run.finish()
    got["caller"] = config
    return got
