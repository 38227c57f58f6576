"""Manifests of versions, and the contents of their files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx

from runstream_consumers.artifacts.consumer import ArtifactsConsumer
from runstream_consumers.testing import feeding
from runstream_schemas.stored.manifest import Manifest, ManifestEntry
from runstream_schemas.stored.objects import object_key
from tests.artifact_events import PROJECT, ArtifactHistory

if TYPE_CHECKING:
    from tests.integration.artifacts.conftest import Decider

TEXT = "<html>some text</html>"


async def read(decider: Decider, path: str, **headers: str) -> httpx.Response:
    """Return the response to a GET below the artifacts of the entity."""
    return await decider.client.get(f"/api/v1/artifacts/ada/{path}", headers=headers)


async def stored_version(decider: Decider, database: str) -> Manifest:
    """Store a version of ``data`` with a file, a reference and a lost file, and a link to it; return its manifest."""
    sha256 = hashlib.sha256(TEXT.encode()).digest()
    await decider.store.write(object_key("ada", sha256), TEXT.encode())
    entries = {
        "folder/pagé.html": ManifestEntry(size=len(TEXT), sha256=sha256),
        "lost": ManifestEntry(size=1, sha256=hashlib.sha256(b"lost").digest()),
        "remote": ManifestEntry(size=3, reference="s3://bucket/key", digest="etag", extra={"versionID": "1"}),
    }
    manifest = Manifest(entries)
    data = manifest.encode()
    digest = hashlib.sha256(data).digest()
    await decider.store.write(object_key("ada", digest), data)
    history = ArtifactHistory()
    history.log("data", "a")
    history.link("data", 0, "eve/wandb-registry-x/best")
    known: dict[str, Any] = {"digest": digest, "manifest_key": object_key("ada", digest)}
    async with feeding(ArtifactsConsumer(), database) as feed:
        await feed.apply(*(replace(event, **known) for event in history.events))
    return manifest


async def test_the_manifest_says_where_files_are(decider: Decider, database: str) -> None:
    """Every file has the address of its content, a reference has its own; the digest is the entity tag."""
    manifest = await stored_version(decider, database)

    answer = await read(decider, f"{PROJECT}/data/manifest")

    entries = answer.json()["entries"]
    assert Manifest.decode(answer.content) == manifest
    assert entries["folder/pagé.html"]["url"] == (
        f"/api/v1/artifacts/ada/{PROJECT}/data:v0/files/folder/pag%C3%A9.html"
    )
    assert "url" not in entries["remote"]
    assert answer.headers["ETag"] == f'"{hashlib.sha256(manifest.encode()).hexdigest()}"'


async def test_files_are_read_by_name_also_through_links(decider: Decider, database: str) -> None:
    """The content of a file, and ranges of it, are the same through a link of another entity."""
    await stored_version(decider, database)
    url = (await read(decider, f"{PROJECT}/data/manifest")).json()["entries"]["folder/pagé.html"]["url"]
    path = url.removeprefix("/api/v1/artifacts/ada/")
    linked = "/api/v1/artifacts/eve/wandb-registry-x/best:latest/files/folder/pagé.html"

    whole, part = await read(decider, path), await read(decider, path, Range="bytes=6-9")
    through = await decider.client.get(linked)

    assert (whole.status_code, whole.text) == (200, TEXT)
    assert (part.status_code, part.content) == (206, b"some")
    assert (through.status_code, through.text) == (200, TEXT)
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    head = await decider.client.head(url)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(TEXT)))


async def test_the_object_store_sends_files_by_presigned_urls(decider: Decider, database: str) -> None:
    """The URLs are those of files of the version, and need no key of the API."""
    await stored_version(decider, database)
    paths = {"paths": ["folder/pagé.html", "remote", "none"]}

    answer = await decider.client.post(f"/api/v1/artifacts/ada/{PROJECT}/data/urls", json=paths)

    assert list(answer.json()["urls"]) == ["folder/pagé.html"]
    async with httpx.AsyncClient() as client:
        assert (await client.get(answer.json()["urls"]["folder/pagé.html"])).text == TEXT


async def test_files_that_cannot_be_read_are_reported(decider: Decider, database: str) -> None:
    """Unknown files and versions are 404, references name where they are, and lost contents are 410."""
    await stored_version(decider, database)
    paths = ("data/files/none", "data/files/remote", "data/files/lost", "data:v7/files/remote", "data/files/../lost")

    found = [await read(decider, f"{PROJECT}/{path}") for path in paths]

    assert [(one.status_code, one.json()["error"]["code"]) for one in found[:4]] == [
        (404, "file_not_found"),
        (404, "is_reference"),
        (410, "object_missing"),
        (404, "artifact_not_found"),
    ]
    assert "s3://bucket/key" in found[1].json()["error"]["message"]
    assert "'lost'" in found[2].json()["error"]["message"]
    assert found[4].status_code == 404
