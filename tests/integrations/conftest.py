"""Tests with large libraries are collected only if they are selected, since the libraries may not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

#: Modules that import PyTorch.
_NEED_TORCH = frozenset({"test_tensorboard.py", "test_watch.py"})


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore modules that import PyTorch if the marker ``integrations`` is deselected."""
    if collection_path.name in _NEED_TORCH and config.getoption("markexpr") == "not integrations":
        return True
    return None
