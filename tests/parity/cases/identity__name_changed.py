"""A run without a name given one later; tags added one by one."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.log({"a": 1})
    run.name = "later"
    for t in "abc":
        run.tags = run.tags + (t,)
    run.notes = "at the end"
    got = [run.name, run.tags, run.notes]
    run.finish()
    return got
