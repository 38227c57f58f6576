"""Implicit, explicit, held, empty calls and lower steps, long."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    steps = []
    plan = [({"a": 1}, None, None), ({"a": 2}, 0, None), ({"a": 3}, 1, False), ({"b": 3}, 1, True), ({"a": 4}, 2, True), ({"a": 5}, None, False), ({"b": 5}, 3, None), ({"c": 5}, 3, False), ({"d": 5}, None, True),
            ({}, 6, False), ({"e": 1}, 6, None), ({"f": 1}, 8, True), ({}, None, True), ({}, None, False), ({"g": 1}, None, False), ({"h": 1}, 10, False), ({"i": 1}, 11, False), ({"j": 1}, None, None)]
    for data, step, commit in plan:
        run.log(data, step=step, commit=commit)
        steps.append(run.step)
    run.finish()
    return steps
