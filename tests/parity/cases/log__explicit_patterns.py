"""Explicit steps, several calls each, ended in different ways; repeated flushes by empty calls."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    steps = []
    for s in (0, 0, 1, 3, 3):
        run.log({f"k{len(steps)}": s}, step=s)
        steps.append(run.step)
    run.log({}, step=3, commit=True)
    steps.append(run.step)
    run.log({"x": 1}, step=run.step)
    run.log({"y": 1}, step=run.step)
    steps.append(run.step)
    run.log({"z": 1}, commit=False)
    run.log({}, commit=True)
    steps.append(run.step)
    run.log({})
    run.log({}, step=50)
    run.log({}, step=51)
    run.log({"last": 1}, commit=False)
    steps.append(run.step)
    run.finish()
    return steps
