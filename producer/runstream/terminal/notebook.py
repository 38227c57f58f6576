"""Detecting a Jupyter kernel, and displaying HTML in it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, not plain Python or IPython in a terminal."""
    module = sys.modules.get("IPython")
    if module is None:
        return False
    shell = module.get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def show_html(text: str, plain: str) -> bool:
    """Display HTML, or plain text in a front end without HTML; return whether it was displayed."""
    if not is_notebook():
        return False
    display: Any = import_module("IPython.display").display  # installed with the notebook
    try:
        display({"text/html": text, "text/plain": plain}, raw=True)
    except Exception:  # noqa: BLE001 - a kernel that is shutting down may raise anything
        return False
    return True
