"""Logged and set values below one nested key."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    s = run.summary
    s["n"] = {"hand": 1, "x": 5}
    run.log({"n": {"x": 1, "y": 2}})
    s["n"]["z"] = 3
    run.log({"n": {"w": {"q": 1}}})
    s["n"]["w"]["r"] = 2
    s["m"] = 3
    run.log({"m": {"x": 1}})
    run.log({"k": {"x": 1}})
    s["k"] = {"y": 1}
    run.log({"k": {"x": 2}})
    run.log({"v": 1})
    s["v"] = {"x": 1}
    run.log({"u": {"x": 1}})
    s["u"] = 4
    s.update({"n2": {"a": 1}})
    s["n2"]["b"] = {"c": 1}
    s["n2"]["b"]["c"] = 2
    run.finish()
