"""One key that is a number, a list, a dict, a string and None in turn."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    for v in (1, [1, 2], {"a": 1}, "s", None, {"b": {"c": 1}}, 2.5, True, {"a": 2}, {"a": {"z": 1}}, {"a": [1]}):
        run.log({"k": v})
    run.log({"k.a": 5, "k/a": 6})
    run.finish()
