"""The client of the object store, with a real server."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from runstream_consumers.object_store.store import ObjectMissing, ObjectStore, StoredPart, StoreUnavailable
from runstream_consumers.settings import ServerSettings
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.object_store import ensure_bucket
from runstream_schemas.stored.objects import object_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runstream_deploy.services.object_store import ObjectStore as Server

_PART = 5 * 1024 * 1024


def _settings(endpoint: str, server: Server, bucket: str) -> ServerSettings:
    return ServerSettings(
        kafka="unused:1",
        postgres="postgresql://unused",
        s3_endpoint=endpoint,
        s3_access_key=server.access_key,
        s3_secret_key=server.secret_key,
        s3_bucket=bucket,
    )


@pytest.fixture
async def store(object_store: Server) -> AsyncIterator[ObjectStore]:
    """Return a client with a bucket of its own."""
    bucket = f"b{uuid.uuid4().hex[:12]}"
    await ensure_bucket(object_store.client(), bucket)
    async with ObjectStore.opened(_settings(object_store.endpoint, object_store, bucket)) as store:
        assert store is not None
        yield store


def _key(data: bytes) -> str:
    return object_key("ada", hashlib.sha256(data).digest())


async def test_a_presigned_request_stores_exactly_what_was_announced(store: ObjectStore) -> None:
    """The announced bytes are stored; others, and requests without the signed headers, are refused."""
    key = _key(b"hello")
    headers = {
        "Content-Length": "5",
        "Content-MD5": base64.b64encode(hashlib.md5(b"hello").digest()).decode(),
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"hello").digest()).decode(),
    }
    request = store.presign_put(key, expires_s=60, headers=headers)
    async with httpx.AsyncClient() as client:
        wrong = await client.put(request.url, content=b"hellx", headers=request.headers)
        longer = await client.put(request.url, content=b"hello!", headers={**request.headers, "Content-Length": "6"})
        bare = await client.put(request.url, content=b"hello")
        assert [answer.status_code for answer in (wrong, longer, bare)] == [400, 403, 403]
        assert await store.stat(key) is None
        assert (await client.put(request.url, content=b"hello", headers=request.headers)).status_code == 200
        assert (await client.get(store.presign_get(key, expires_s=60).url)).content == b"hello"
    found = await store.stat(key)
    assert found is not None
    assert (found.size, found.etag) == (5, hashlib.md5(b"hello").hexdigest())
    assert (await store.read(key), await store.read(key, 1, 3)) == (b"hello", b"ell")


async def test_an_object_is_made_of_parts(store: ObjectStore) -> None:
    """Parts that a client sends become an object; an upload that was aborted leaves nothing."""
    data = os.urandom(_PART + 3)
    key = _key(data)
    upload = await store.start_upload(key)
    sent = []
    async with httpx.AsyncClient(timeout=60) as client:
        for number, part in enumerate((data[:_PART], data[_PART:]), start=1):
            answer = await client.put(store.presign_part(key, upload, number, expires_s=60).url, content=part)
            sent.append(StoredPart(number=number, etag=answer.headers["ETag"].strip('"'), size=len(part)))
    assert await store.parts(key, upload) == sent
    assert [(one.key, one.id) for one in await store.uploads()] == [(key, upload)]
    await store.complete(key, upload, sent)
    assert await store.read(key) == data
    with pytest.raises(ObjectMissing):
        await store.parts(key, upload)
    await store.abort(key, await store.start_upload(key))
    await store.abort(key, upload)
    assert await store.uploads() == []


async def test_objects_are_listed_and_deleted(store: ObjectStore) -> None:
    """A list has every object of the bucket; deleting those that do not exist does nothing."""
    keys = sorted(_key(str(number).encode()) for number in range(5))
    for key in keys:
        await store.write(key, b"x")
    assert [one.key async for page in store.objects() for one in page] == keys
    await store.delete([*keys, _key(b"never stored")])
    assert [page async for page in store.objects()] == []
    with pytest.raises(ObjectMissing, match=keys[0]):
        await store.read(keys[0])


async def test_a_store_that_is_down_is_unavailable(object_store: Server) -> None:
    """Nothing listens: every request fails with the same exception, and presigning still works."""
    async with ObjectStore.opened(_settings(f"http://127.0.0.1:{choose_port()}", object_store, "bucket")) as store:
        assert store is not None
        with pytest.raises(StoreUnavailable):
            await store.stat(_key(b""))
        assert store.presign_get(_key(b""), expires_s=60).url


async def test_without_an_endpoint_there_is_no_store(object_store: Server) -> None:
    """Settings without an endpoint have no store."""
    async with ObjectStore.opened(_settings("", object_store, "bucket")) as store:
        assert store is None
