"""Runs of these tests have no files but their own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_files_of_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record no files of metadata, so that the files of a run are those of the test."""
    monkeypatch.setenv("RUNSTREAM_X_DISABLE_META", "true")
