"""Running programs written for W&B: ``import wandb`` provided by Runstream, and mirroring runs of the real W&B."""
