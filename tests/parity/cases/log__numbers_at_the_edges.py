"""Numbers at the edges."""
import fractions
import numpy as np
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = {}
    values = {"min64": -(2**63), "max64": 2**63 - 1, "over": 2**63, "u64": 2**64 - 1, "neg": -(2**70), "tiny": 5e-324, "huge": 1.7e308, "negzero": -0.0,
              "frac": fractions.Fraction(1, 4), "npu64": np.uint64(2**64 - 1), "longdouble": np.longdouble(0.5), "npc": np.complex64(1 + 2j),
              "dt": np.datetime64("2020-01-02"), "td": np.timedelta64(3, "s"), "b": np.bool_(False), "intbool": [True, 1, 0, False]}
    for k, v in values.items():
        r = attempt(tracker, run.log, {k: v})
        got[k] = "ok" if "ok" in r else r["raised"]["builtin"]
    run.finish()
    return got
