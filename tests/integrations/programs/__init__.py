"""Scripts written for W&B, one a library; WANDB_RUN_ID and WANDB_PROJECT name the run."""
