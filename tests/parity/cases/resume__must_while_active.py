"""resume="must" while another run is active."""
from kit import attempt

IGNORE = ["warnings"]


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = attempt(tracker, lambda: tracker.init(project="p", id="other", resume="must"))
    got.get("raised", {}).pop("message", None)
    got["allow"] = attempt(tracker, lambda: tracker.init(project="p", id="other", resume="allow") is run)
    run.log({"a": 1})
    run.finish()
    return got
