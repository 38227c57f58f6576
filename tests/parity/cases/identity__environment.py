"""Project, name, notes, tags, group and job type by the environment."""
ENV = {"WANDB_PROJECT": "ep", "WANDB_NAME": "ename", "WANDB_NOTES": "enotes", "WANDB_TAGS": "e1,e2", "WANDB_RUN_GROUP": "eg", "WANDB_JOB_TYPE": "ej"}


def case(tracker, run_kwargs):
    run = tracker.init(**run_kwargs)
    got = [run.project, run.name, run.notes, run.tags, run.group, run.job_type]
    run.finish()
    return got
