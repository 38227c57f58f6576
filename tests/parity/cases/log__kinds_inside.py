"""Values of many kinds inside dicts and lists."""
import datetime
import numpy as np
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = {}
    values = {
        "np_in_dict": {"a": np.float32(0.5), "b": np.int8(3), "c": {"d": np.bool_(True)}},
        "np_in_list": [np.float64(0.25), np.int32(2), np.nan],
        "arr_in_list": [np.arange(3), np.arange(2)],
        "arr_in_dict": {"x": np.arange(4), "one": np.array([7]), "zero": np.array(2.5)},
        "dict_in_list": [{"a": np.float32(1.5)}, {"b": None, "c": {}}],
        "tuple_in_dict": {"t": (1, (2, 3))},
        "set_in_dict": {"s": {4}},
        "date_in_list": [datetime.date(2020, 1, 2)],
        "nan_nested": {"n": float("nan"), "l": [float("inf"), float("-inf"), {"q": float("nan")}]},
        "none_nested": {"n": None, "m": {"o": None}},
        "empties": {"l": [], "d": {}, "s": ""},
        "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
        "big_in_dict": {"b": 2**70},
        "big_in_list": [2**70],
        "bytes_in_list": [b"ab"],
    }
    for k, v in values.items():
        r = attempt(tracker, run.log, {k: v})
        got[k] = "ok" if "ok" in r else r["raised"]["builtin"]
    run.finish()
    return got
