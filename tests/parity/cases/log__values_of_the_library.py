"""Times, functions, nested enums, iterators, and other things of Python's library."""
import collections
import datetime
import decimal
import enum
import fractions
import functools
import types
import ipaddress
import re
from kit import attempt


class E(enum.Enum):
    A = "va"


class Callable:
    def __call__(self):
        pass

    def __str__(self):
        return "called"


class Strange(collections.abc.Sequence):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return [1, 2][i]


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = {}
    values = {"time": datetime.time(1, 2, 3), "tz": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc), "us": datetime.datetime(2020, 1, 2, 3, 4, 5, 678), "td": datetime.timedelta(days=1, hours=2, seconds=3.5), "ntd": datetime.timedelta(seconds=-3), "ztd": datetime.timedelta(0),
              "lambda": lambda: 1, "builtin": len, "method": [].append, "partial": functools.partial(len), "callable": Callable(), "cls": Callable, "seq": Strange(), "map": map(str, [1, 2]), "iter": iter([1]), "zip": zip([1], [2]),
              "frac_in": {"f": fractions.Fraction(1, 3)}, "enum_in": [E.A], "enum_dict": {"e": E.A}, "dec_in": [decimal.Decimal("2.50")], "dq_in": {"d": collections.deque([1])}, "td_in": [datetime.timedelta(seconds=1)],
              "ip": ipaddress.ip_address("127.0.0.1"), "re": re.compile("x"), "ns": types.SimpleNamespace(a=1), "slice": slice(1, 2), "notimpl": NotImplemented,
              "dkeys": {"a": 1}.keys(), "dvalues": {"a": 1}.values(), "ditems": {"a": 1}.items(), "userlist": collections.UserList([1]), "userstr": collections.UserString("x"), "func_in": [len]}
    for k, v in values.items():
        r = attempt(tracker, run.log, {k: v})
        got[k] = "ok" if "ok" in r else r["raised"]["builtin"]
    run.finish()
    return got
