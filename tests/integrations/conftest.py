"""Tests with large libraries are looked at only where they are asked for: elsewhere the libraries are not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

#: Import PyTorch as they are read.
_NEED_TORCH = frozenset({"test_tensorboard.py", "test_watch.py"})


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over what needs PyTorch where the marker ``integrations`` is deselected."""
    if collection_path.name in _NEED_TORCH and config.getoption("markexpr") == "not integrations":
        return True
    return None
