"""A script that logs to W&B and Runstream. WANDB_RUN_ID is the id of both runs."""

import sys

import wandb

from runstream.compat import mirror


def main() -> None:
    """Log three rows; each has an object of W&B."""
    mirror.start()
    with wandb.init(
        project="tests", config={"lr": 1, "net": {"depth": 2}}, tags=["both"], settings={"console": "off"}
    ) as run:
        run.config.update({"batch": 2})
        wandb.config["seed"] = 4
        wandb.define_metric("loss", summary="min")
        for step, loss in enumerate((1, 3, 2)):
            wandb.log({"loss": loss, "picture": wandb.Html("<p>")}, step=step * 10)
        run.summary["best"] = 1
        run.summary["per"] = {"class": 1}
        run.summary["per"]["sample"] = 2
        run.name = "renamed"
        run.tags += ("more",)
        run.alert("all went well", "indeed")
        if "--fail" in sys.argv:
            raise RuntimeError("the script's own error")


if __name__ == "__main__":
    main()
