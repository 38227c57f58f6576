"""The settings of a stack with an archive of its topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.archiver.archived import archiver_settings

if TYPE_CHECKING:
    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_deploy.services.object_store import ObjectStore


@pytest.fixture
async def settings(
    broker: str, prefix: str, database: str, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> ArchiverSettings:
    """Return the settings of a stack; its objects of topics have a few messages each."""
    monkeypatch.setenv("RUNSTREAM_TICK_KEY", "00ff")
    return await archiver_settings(broker, prefix, database, object_store, archive_chunk_bytes=20_000)
