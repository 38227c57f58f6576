"""Optuna with its own callback: one run for the whole study, or one for each trial."""

import os
import sys

import optuna
import wandb
from optuna.integration import WeightsAndBiasesCallback


def main(*, many: bool) -> None:
    """Run three trials."""
    identity = {"group": os.environ["WANDB_RUN_ID"]} if many else {"id": os.environ["WANDB_RUN_ID"]}
    if many:
        del os.environ["WANDB_RUN_ID"]
    callback = WeightsAndBiasesCallback(metric_name="loss", wandb_kwargs=identity, as_multirun=many)

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("x", -1, 1) ** 2

    @callback.track_in_wandb()
    def tracked(trial: optuna.Trial) -> float:
        loss = objective(trial)
        wandb.log({"doubled": 2 * loss})
        return loss

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(tracked if many else objective, n_trials=3, callbacks=[callback])


if __name__ == "__main__":
    main(many="--many" in sys.argv)
