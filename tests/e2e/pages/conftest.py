"""A browser for the tests of the pages, and the runs they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages.browser import Browser, browsing
from tests.integration.api.conftest import digits, ranks, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["browser", "digits", "ranks", "served"]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Return a browser with a fresh profile."""
    with browsing(tmp_path / "profile") as browser:
        yield browser
