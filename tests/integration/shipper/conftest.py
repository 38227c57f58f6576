"""A server and a run folder for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.shipper.runs import RunDir, Server, new_run, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(broker: str, prefix: str, tmp_path: Path) -> Iterator[Server]:
    """Return a server with the test's broker and topics."""
    with serving(broker, prefix, tmp_path) as server:
        yield server


@pytest.fixture
def run_dir(server: Server, tmp_path: Path) -> RunDir:
    """Return a run folder without a writer."""
    return new_run(tmp_path, server.environment)
