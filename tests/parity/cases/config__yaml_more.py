"""YAML in the value form: nested values, lists, and an exclude list with a file."""
from pathlib import Path
from kit import attempt


def case(tracker, run_kwargs):
    Path("cfg.yaml").write_text("opt:\n  value:\n    lr: 0.5\n    betas: [1, 2]\nname:\n  desc: null\n  value: x\nnothing:\n  value: null\nwandb_version: 1\n")
    def go():
        run = tracker.init(project="p", config="cfg.yaml", config_exclude_keys=["name"], **run_kwargs)
        got = dict(run.config)
        run.finish()
        return got
    return attempt(tracker, go)
