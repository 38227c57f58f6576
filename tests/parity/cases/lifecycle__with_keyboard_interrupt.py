"""KeyboardInterrupt inside a with block."""


def case(tracker, run_kwargs):
    try:
        with tracker.init(project="p", **run_kwargs) as run:
            run.log({"a": 1})
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return {"after": tracker.run is None}
