"""Ray Tune with its own callback for W&B, and ``setup_wandb`` in the trials."""

import sys
from typing import Any

import ray
from ray import tune
from ray.air.integrations.wandb import WandbLoggerCallback, setup_wandb


def train(config: dict[str, Any]) -> None:
    """Report three results; without the callback, log them to a run of the trial."""
    run = setup_wandb(config, project="tests", group=config["group"]) if config["how"] == "setup" else None
    for step in range(3):
        if run is not None:
            run.log({"loss": config["lr"] / (step + 1)})
        tune.report({"loss": config["lr"] / (step + 1)})
    if run is not None:
        run.finish()


def main() -> None:
    """Run two trials."""
    ray.init(num_cpus=1, include_dashboard=False, configure_logging=False)
    callbacks = [WandbLoggerCallback(project="tests", group=sys.argv[1])] if sys.argv[2] == "callback" else []
    tuner = tune.Tuner(
        train,
        param_space={"lr": tune.grid_search([0.1, 0.2]), "group": sys.argv[1], "how": sys.argv[2]},
        run_config=tune.RunConfig(name="study", storage_path=sys.argv[3], callbacks=callbacks, verbose=0),
    )
    tuner.fit()
    ray.shutdown()


if __name__ == "__main__":
    main()
