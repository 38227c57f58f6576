"""A second init without reinit gives the active run back."""


def case(tracker, run_kwargs):
    a = tracker.init(project="p", name="one", **run_kwargs)
    b = tracker.init(project="q", id="other", name="two", tags=["t"])
    got = [a is b, b.project, b.id, b.name, b.tags]
    b.finish()
    return got + [tracker.run is None]
