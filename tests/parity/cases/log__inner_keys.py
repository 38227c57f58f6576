"""Keys of nested dicts that are no strings."""
import datetime
import enum
import numpy as np
from kit import attempt


class E(enum.Enum):
    A = "va"


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = {}
    keys = {"int": 1, "float": 2.5, "whole": 2.0, "true": True, "none": None, "tuple": (1, "a"), "nested_tuple": ((1, 2), 3), "bytes": b"xy", "date": datetime.date(2020, 1, 2), "npint": np.int64(4), "npfloat": np.float32(0.5),
            "enum": E.A, "frozenset": frozenset([1]), "nan": float("nan"), "inf": float("inf"), "cplx": 1j, "big": 2**70, "npbool": np.bool_(True), "tuple_none": (None, True, 1.5)}
    for k, v in keys.items():
        r = attempt(tracker, run.log, {k: {v: 1}})
        got[k] = "ok" if "ok" in r else r["raised"]["builtin"]
        r = attempt(tracker, run.log, {k + "_list": [{v: 1}]})
        got[k + "_list"] = "ok" if "ok" in r else r["raised"]["builtin"]
    run.finish()
    return got
