"""Functions, classes, times, dataclasses, iterators set by hand."""
import collections
import dataclasses
import datetime
import fractions
import pathlib
import uuid
from kit import attempt


@dataclasses.dataclass
class D:
    a: int = 1


class C:
    pass


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = {}
    for k, v in {"fn": case, "cls": C, "builtin": len, "td": datetime.timedelta(hours=1), "dc": D(), "gen": (i for i in "ab"), "dq": collections.deque([1]), "frac": fractions.Fraction(1, 2), "path": pathlib.Path("a"), "uuid": uuid.UUID(int=2), "nested": {"fn": len, "d": datetime.date(2020, 1, 2)}, "list": [len, datetime.date(2020, 1, 2)], "od": collections.OrderedDict(a=1), "nt": collections.namedtuple("N", "p")(1)}.items():
        r = attempt(tracker, run.summary.__setitem__, k, v)
        got[k] = "ok" if "ok" in r else r["raised"]["builtin"]
    run.finish()
    return got
