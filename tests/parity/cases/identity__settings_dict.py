"""settings= as a dict: the fields that the arguments of init stand for."""
from kit import attempt


def case(tracker, run_kwargs):
    run = tracker.init(settings={"project": "sp", "run_group": "sg", "run_job_type": "sj", "run_tags": ["st"], "run_notes": "sn", "run_name": "sname"}, **run_kwargs)
    got = [run.project, run.group, run.job_type, run.tags, run.notes, run.name]
    run.finish()
    return got
