"""Arguments that make no sense."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    got = {}
    calls = {
        "empty": (("",), {}), "none": ((None,), {}), "int": ((3,), {}), "star_mid": (("a*b",), {}), "star": (("*",), {}), "unknown_summary": (("m",), {"summary": "median"}),
        "summary_list": (("m",), {"summary": ["min"]}), "summary_empty": (("m",), {"summary": ""}), "summary_comma": (("m",), {"summary": "min,"}), "summary_dup": (("dup",), {"summary": "min,min"}),
        "step_metric_int": (("m",), {"step_metric": 3}), "step_metric_glob": (("m",), {"step_metric": "a*"}),
        "hidden_str": (("m",), {"hidden": "yes"}), "hidden_int": (("m",), {"hidden": 1}), "overwrite_str": (("m",), {"overwrite": "x"}), "sync_str": (("m",), {"step_sync": "x"}),
        "self": (("selfm",), {"step_metric": "selfm"}), "sync_no_metric": (("sy",), {"step_sync": True}), "none_min": (("nm",), {"summary": "none,min"}), "none": (("nn",), {"summary": "none"}), "copy": (("cp",), {"summary": "copy"}), "copymin": (("cpm",), {"summary": "copy,min"}),
    }
    for k, (a, kw) in calls.items():
        r = attempt(tracker, run.define_metric, *a, **kw)
        got[k] = "ok" if "ok" in r else [r["raised"]["builtin"], r["raised"]["tracker_error"]]
    for v in (3, 1, 2):
        run.log({"dup": v, "nm": v, "nn": v, "cp": v, "cpm": v, "selfm": v, "sy": v})
    run.finish()
    return got
