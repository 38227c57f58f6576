"""sys.exit(5), sys.exit("text") and sys.exit() inside with blocks."""
import sys

RUNS = ["r1", "r2", "r3"]


def case(tracker, run_kwargs):
    kwargs = {k: v for k, v in run_kwargs.items() if k != "id"}
    got = []
    for rid, code in {"r1": 5, "r2": "text", "r3": None}.items():
        try:
            with tracker.init(project="p", id=rid, **kwargs) as run:
                run.log({"a": 1})
                sys.exit(code)
        except SystemExit as exc:
            got.append(exc.code)
    return got
