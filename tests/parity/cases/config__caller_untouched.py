"""The caller's dict is neither changed nor followed."""


def case(tracker, run_kwargs):
    mine = {"a": 1, "n": {"x": [1]}}
    run = tracker.init(project="p", config=mine, **run_kwargs)
    run.config.update({"a": 2}, allow_val_change=True)
    run.config["b"] = 3
    mine["n"]["x"].append(2)
    mine["later"] = 1
    got = {"config": dict(run.config), "mine": mine}
    run.finish()
    return got
