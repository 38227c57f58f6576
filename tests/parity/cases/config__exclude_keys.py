"""config_exclude_keys leaves keys out."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", config={"a": 1, "b": 2}, config_exclude_keys=["a"], **run_kwargs)
    got = dict(run.config)
    run.finish()
    return got
