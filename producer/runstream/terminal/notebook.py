"""Whether this process is a Jupyter kernel, and how to show HTML there."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def is_notebook() -> bool:
    """Tell whether what is displayed reaches a notebook: IPython runs, and it is a kernel's, not a terminal's."""
    module = sys.modules.get("IPython")
    if module is None:
        return False
    shell = module.get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def show_html(text: str, plain: str) -> bool:
    """Display HTML below the running cell; return whether there is a notebook, and it took it.

    Args:
        text: The HTML.
        plain: What a front end shows that knows no HTML.
    """
    if not is_notebook():
        return False
    display: Any = import_module("IPython.display").display  # there only in a notebook
    try:
        display({"text/html": text, "text/plain": plain}, raw=True)
    except Exception:  # noqa: BLE001 - a kernel that is about to end refuses in its own ways
        return False
    return True
