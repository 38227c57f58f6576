"""After this module is imported, ``import wandb`` imports Runstream.

Raises ImportError if the real W&B is already imported, since modules that imported it would keep using it.
"""

from runstream.compat.finder import install

install()
