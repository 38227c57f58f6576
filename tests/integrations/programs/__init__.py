"""Scripts written for W&B, one for each library. WANDB_RUN_ID and WANDB_PROJECT set the run."""
