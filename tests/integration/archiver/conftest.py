"""The settings of an archiver of the test's topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.archiver.archived import archiver_settings

if TYPE_CHECKING:
    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_deploy.services.object_store import ObjectStore


@pytest.fixture
async def settings(broker: str, prefix: str, database: str, object_store: ObjectStore) -> ArchiverSettings:
    """Return the settings of an archiver whose objects have a few messages each."""
    return await archiver_settings(broker, prefix, database, object_store, archive_chunk_bytes=1000)
