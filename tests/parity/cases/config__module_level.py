"""tracker.config is the run's config while the run is active."""
from kit import attempt


def case(tracker, run_kwargs):
    got = {
        "before_get": attempt(tracker, lambda: tracker.config.get("a")), "before_set": attempt(tracker, setattr, tracker.config, "a", 1),
        "before_update": attempt(tracker, lambda: tracker.config.update({"a": 1})), "before_item": attempt(tracker, lambda: tracker.config["a"]),
    }
    run = tracker.init(project="p", config={"a": 1}, **run_kwargs)
    tracker.config.b = 2
    tracker.config["c"] = 3
    tracker.config.update({"d": 4})
    got["during"] = dict(tracker.config)
    run.finish()
    got["after"] = attempt(tracker, lambda: tracker.config["a"])
    got["after_set"] = attempt(tracker, lambda: tracker.config.update({"q": 1}))
    for v in got.values():
        v.get("raised", {}).pop("message", None)
    return got
