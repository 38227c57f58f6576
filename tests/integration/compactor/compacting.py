"""A compactor for tests, which works when it is called."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.stored_blocks import StoredBlocks
from runstream_consumers.compactor.process import Compactor, working
from runstream_consumers.compactor.settings import CompactorSettings
from runstream_consumers.runtime.postgres.connection import connected
from runstream_deploy.services.object_store import ensure_bucket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runstream_deploy.services.object_store import ObjectStore as Server


async def settings_of(database: str, server: Server, **given: Any) -> CompactorSettings:
    """Return settings with a new bucket, by which every block is archived at once."""
    bucket = f"b{uuid.uuid4().hex[:12]}"
    await ensure_bucket(server.client(), bucket)
    values: dict[str, Any] = {
        "kafka": "unused:1",
        "postgres": database,
        "s3_endpoint": server.endpoint,
        "s3_access_key": server.access_key,
        "s3_secret_key": server.secret_key,
        "s3_bucket": bucket,
        "compact_rows": 1,
        "compact_idle_s": 1e6,
        "compact_grace_s": 3600.0,
    }
    return CompactorSettings(**(values | given))


@asynccontextmanager
async def reading(settings: CompactorSettings, compactor: Compactor) -> AsyncIterator[StoredBlocks]:
    """Provide the stored rows over a new connection, with an archive that has read nothing."""
    async with connected(settings.postgres, application="test") as connection:
        with Archive.opened(compactor.store) as archive:
            yield StoredBlocks.of(connection, archive)


__all__ = ["reading", "settings_of", "working"]
