"""The global interpreter lock, on which docs/hot-path.md relies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runstream.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def _gil_is_enabled() -> bool:
    """Return whether threads run one at a time; the function of ``sys`` exists from Python 3.13 on."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def require_gil(is_enabled: Callable[[], bool] = _gil_is_enabled) -> None:
    """Refuse an interpreter that runs without the global interpreter lock."""
    if not is_enabled():
        raise UsageError(
            "Runstream cannot record in a Python that runs without the global interpreter lock: "
            "set PYTHON_GIL=1, or use a standard build of Python"
        )
