"""Tests with large libraries are collected only if they are selected, since the libraries may not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Modules that import PyTorch.
_NEED_TORCH = frozenset({"test_tensorboard.py", "test_watch.py", "test_watch_graph.py"})


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore modules that import PyTorch if the marker ``integrations`` is deselected."""
    if collection_path.name in _NEED_TORCH and config.getoption("markexpr") == "not integrations":
        return True
    return None


@pytest.fixture
def run(tmp_path: Path) -> Iterator[runstream.Run]:
    """Start an offline run in its own folder."""
    run = runstream.init(project="p", mode="offline", dir=tmp_path, settings={"silent": True})
    yield run
    run.finish()
