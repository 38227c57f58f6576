"""A with block in a generator that is closed early, and an assertion."""


def case(tracker, run_kwargs):
    def rows():
        with tracker.init(project="p", **run_kwargs) as run:
            for n in range(5):
                run.log({"n": n})
                yield n
    it = rows()
    got = [next(it), next(it)]
    it.close()
    return got + [tracker.run is None]
