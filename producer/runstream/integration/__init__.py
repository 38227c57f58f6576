"""Callbacks for libraries that have none of their own; the same modules are ``wandb.integration`` for W&B's scripts."""
