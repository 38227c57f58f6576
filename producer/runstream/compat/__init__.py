"""Programs written for W&B, unchanged: ``import wandb`` answered by Runstream, and calls of W&B mirrored into it."""
