"""Importing this module makes every later ``import wandb`` of the process resolve to Runstream.

Raises ImportError at import where the real W&B is imported already: who holds its names would go on using them.
"""

from runstream.compat.finder import install

install()
