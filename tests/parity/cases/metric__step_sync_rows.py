"""Inserted axis values in rows of explicit steps, held rows, and several axes at once."""


def case(tracker, run_kwargs):
    run = tracker.init(project="p", **run_kwargs)
    run.define_metric("train/*", step_metric="train/step")
    run.define_metric("val/*", step_metric="val/step")
    run.define_metric("both", step_metric="train/step")
    run.log({"train/step": 1, "train/loss": 5})
    run.log({"val/step": 10, "val/loss": 6})
    run.log({"train/loss": 4, "val/loss": 5})
    run.log({"train/loss": 3}, commit=False)
    run.log({"train/step": 2})
    run.log({"both": 1})
    run.log({"val/loss": 1}, step=20)
    run.log({"val/step": 11}, step=20)
    run.log({"val/loss": 0}, step=21)
    run.log({"other": 1})
    run.finish()
