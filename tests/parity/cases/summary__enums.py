"""Members of enums set by hand, of all kinds, nested."""
import enum


class E(enum.Enum):
    A = 1


class I(enum.IntEnum):
    ONE = 1


class S(str, enum.Enum):
    X = "ex"


class F(enum.Flag):
    P = 1


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    s = run.summary
    s["e"] = E.A
    s["i"] = I.ONE
    s["s"] = S.X
    s["f"] = F.P
    s["d"] = {"e": E.A, "i": I.ONE, "l": [E.A]}
    s["l"] = [E.A, {"e": E.A}]
    s.update({"u": E.A})
    run.finish()
