"""Runs that W&B recorded on this machine: the files ``run-ID.wandb`` and the folders around them."""
