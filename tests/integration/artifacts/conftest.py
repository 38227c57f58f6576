"""An API in the process of the test, with a real database and a real object store."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream_consumers.server.app import create_app
from runstream_consumers.settings import ServerSettings
from runstream_deploy.services.object_store import ensure_bucket
from runstream_schemas.stored.manifest import Manifest, ManifestEntry
from runstream_schemas.stored.objects import object_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from runstream_consumers.object_store.store import ObjectStore
    from runstream_deploy.services.object_store import ObjectStore as ObjectServer

_TOKEN = "token-of-the-tests"


@dataclass(frozen=True, slots=True)
class Decider:
    """Requests decisions about artifacts of the entity ``ada`` in a new project."""

    client: httpx.AsyncClient
    store: ObjectStore
    project: str

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Return the response to a request about an artifact of the project."""
        return await self.client.post(f"/api/v1/artifacts/ada/{self.project}/{path}", json=dict(body))

    async def decided(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the decision of a request, which is repeated while the database is busy, as shippers do.

        Raises AssertionError if it is refused.
        """
        answer = await self.post(path, body)
        while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(0.1)
            answer = await self.post(path, body)
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def manifest(self, files: Mapping[str, str]) -> dict[str, Any]:
        """Store a manifest of files with texts; return the fields of a request that describe it."""
        entries = {
            path: ManifestEntry(size=len(text), sha256=hashlib.sha256(text.encode()).digest())
            for path, text in files.items()
        }
        manifest = Manifest(entries)
        data = manifest.encode()
        digest = hashlib.sha256(data).digest()
        key = object_key("ada", digest)
        await self.store.write(key, data)
        return {"digest": digest.hex(), "manifest_key": key, "size": manifest.size, "file_count": len(entries)}


def asked(**fields: Any) -> dict[str, Any]:
    """Return the body of a request of a new writer."""
    return {"writer": uuid.uuid4().hex, "seq": 0, **fields}


@pytest.fixture
async def decider(database: str, object_store: ObjectServer) -> AsyncIterator[Decider]:
    """Serve an API with an empty database and a bucket of its own."""
    bucket = f"b{uuid.uuid4().hex[:12]}"
    await ensure_bucket(object_store.client(), bucket)
    settings = ServerSettings(
        kafka="unused:1",
        postgres=database,
        token=_TOKEN,
        s3_endpoint=object_store.endpoint,
        s3_access_key=object_store.access_key,
        s3_secret_key=object_store.secret_key,
        s3_bucket=bucket,
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        store = app.state.services.contents.store
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
            yield Decider(client, store, f"p{uuid.uuid4().hex[:8]}")
