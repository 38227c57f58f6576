# noqa: INP001 - a folder of PYTHONPATH, not a package
"""Run by every Python that has this folder in PYTHONPATH as it starts: lets Runstream answer ``import wandb``.

``runstream run`` puts the folder there, so that it holds for the script and for all Python processes that it starts. A
``sitecustomize`` of the machine's own, which this one hides, is run too.
"""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def _run_the_hidden_one() -> None:
    here = Path(__file__).resolve().parent
    path = [folder for folder in sys.path if Path(folder or ".").resolve() != here]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


# A Python of another environment may have no Runstream; it keeps its own wandb.
if importlib.util.find_spec("runstream") is not None:
    import runstream.compat.wandb  # noqa: F401 - its import is what it does

_run_the_hidden_one()
