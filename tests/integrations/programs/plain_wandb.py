"""A typical script: init, config, define_metric, log, summary, finish."""

import sys

import wandb


def main() -> None:
    """Log five rows."""
    wandb.login()
    run = wandb.init(config={"lr": 0.1, "layers": [4, 3]}, tags=["plain"], notes="a plain script")
    wandb.config.update({"batch": 8})
    wandb.define_metric("loss", summary="min")
    for epoch in range(5):
        wandb.log({"loss": abs(epoch - 3) + 1, "accuracy": epoch / 5})
    wandb.summary["best"] = 3
    run.name = "renamed"
    if "--fail" in sys.argv:
        raise RuntimeError("the script's own error")
    wandb.finish()


if __name__ == "__main__":
    main()
