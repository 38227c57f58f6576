"""A real run begun while a disabled one was not finished; two disabled ones in turn."""
IGNORE = ["warnings"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k not in ("mode", "id")}
    one = tracker.init(project="p", mode="disabled", **kwargs)
    two = tracker.init(project="p", mode="disabled", **kwargs)
    got = [one is two, tracker.run is two]
    run = tracker.init(project="p", **run_kwargs)
    got += [run is one, run.disabled, tracker.run is run]
    run.log({"a": 1})
    one.finish()
    got.append(tracker.run is run)
    run.finish()
    return got + [tracker.run is None]
