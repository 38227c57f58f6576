"""tags set, appended and cleared while running."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", tags=["a"], **run_kwargs)
    got = {"init": run.tags}
    run.tags += ("b",)
    got["plus"] = run.tags
    run.tags = ["c", "b", "c"]
    got["list"] = run.tags
    got["list_plus"] = attempt(tracker, lambda: setattr(run, "tags", run.tags + ("d",)))
    got["now"] = run.tags
    run.finish()
    return got
