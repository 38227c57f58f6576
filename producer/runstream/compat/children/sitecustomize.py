# noqa: INP001 - a folder of PYTHONPATH, not a package
"""Imported by every Python process with this folder in PYTHONPATH: provides ``wandb`` from Runstream.

``runstream run`` adds the folder, so that the script and all Python processes that it starts import this module.
Another ``sitecustomize``, which this one shadows, is run too.
"""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def _run_shadowed() -> None:
    here = Path(__file__).resolve().parent
    path = [folder for folder in sys.path if Path(folder or ".").resolve() != here]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


# A Python of another environment may not have Runstream; it keeps its own wandb.
if importlib.util.find_spec("runstream") is not None:
    import runstream.compat.wandb  # noqa: F401 - imported for its effect

_run_shadowed()
