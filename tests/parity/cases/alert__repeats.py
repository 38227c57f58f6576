"""The same title again and again: all are sent, in order; positional arguments."""
from datetime import timedelta
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    for n in range(3):
        run.alert("same", f"text {n}")
    run.alert("same", "pos", "WARN", 7)
    run.alert("same", "delta", tracker.AlertLevel.ERROR, timedelta(milliseconds=1500))
    run.alert("other", "half", wait_duration=0.25)
    run.alert("other", "hour", wait_duration=timedelta(hours=1))
    run.finish()
