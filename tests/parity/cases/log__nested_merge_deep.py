"""Nested dicts of one step, merged over several calls and types."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.log({"m": {"a": {"b": 1, "c": {"d": 1}}}, "l": [{"x": 1}]}, step=1)
    run.log({"m": {"a": {"c": {"e": 2}, "b": 3}, "f": 4}, "l": [{"y": 2}]}, step=1)
    run.log({"m": {"a": 5}}, step=2)
    run.log({"m": {"a": {"z": 1}}}, step=2)
    run.log({"m": {"a": None}}, step=3)
    run.log({"m": None}, step=4)
    run.log({"m": {"a": {}}}, step=5)
    run.log({"m": {}}, step=6)
    run.finish()
