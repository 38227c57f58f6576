"""References to objects of a bucket, with a real server."""

from __future__ import annotations

import io
import re
import uuid
from typing import TYPE_CHECKING

import pytest

import runstream
from runstream import Artifact
from runstream.artifacts.references import reference_store
from runstream.exceptions import CommError

if TYPE_CHECKING:
    from pathlib import Path

    from runstream_deploy.services.object_store import ObjectStore as Server


@pytest.fixture
def bucket(object_store: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a bucket with three objects; the environment names the server and its key."""
    name = f"b{uuid.uuid4().hex[:8]}"
    client = object_store.client()
    client.make_bucket(name)
    for key in ("data/a.bin", "data/sub/b.bin", "other"):
        client.put_object(name, key, io.BytesIO(key.encode()), len(key))
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", object_store.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.secret_key)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return name


def test_objects_are_referred_to_one_by_one_and_by_prefix(bucket: str, object_store: Server, tmp_path: Path) -> None:
    """Entries have size and ETag; a changed object is a ValueError, a missing one FileNotFoundError."""
    artifact = Artifact("a", "t")
    (single,) = artifact.add_reference(f"s3://{bucket}/data/a.bin")
    below = artifact.add_reference(f"s3://{bucket}/data", name="all")

    assert (single.path, single.size, single.ref) == ("a.bin", 10, f"s3://{bucket}/data/a.bin")
    assert {entry.path: entry.digest for entry in below}["all/a.bin"] == single.digest
    assert [entry.path for entry in below] == ["all/a.bin", "all/sub/b.bin"]
    (unchecked,) = artifact.add_reference(f"s3://{bucket}/data/", checksum=False)
    assert (unchecked.path, unchecked.size) == ("data", 0)

    store = reference_store("s3")
    store.fetch(single, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"data/a.bin"
    object_store.client().put_object(bucket, "data/a.bin", io.BytesIO(b"changed"), 7)
    with pytest.raises(ValueError, match="has changed"):
        store.fetch(single, tmp_path / "b")
    object_store.client().remove_object(bucket, "data/a.bin")
    with pytest.raises(FileNotFoundError, match="Cannot read the reference"):
        store.fetch(single, tmp_path / "b")


def test_a_run_logs_what_a_uri_leads_to(bucket: str, tmp_path: Path) -> None:
    """Instead of a path, a URI of an object or a prefix can be logged; the name follows from it."""
    with runstream.init(mode="offline", dir=tmp_path, id="r1", settings={"silent": True}) as run:
        data = run.log_artifact(f"s3://{bucket}/data", type="dataset")
        run.log_model(f"s3://{bucket}/data/a.bin")
        model = run.finish_artifact(f"s3://{bucket}/data/a.bin", type="model", distributed_id="d")

    assert (data.name, model.name) == ("run-r1-data", "run-r1-a.bin")
    assert [entry.ref for entry in model.manifest.entries.values()] == [f"s3://{bucket}/data/a.bin"]
    assert sorted(data.manifest.entries) == ["a.bin", "sub/b.bin"]


def test_references_to_nothing_are_refused(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No object is a ValueError, no bucket a FileNotFoundError, and a wrong key a CommError."""
    artifact = Artifact("a", "t")
    with pytest.raises(ValueError, match="no objects"):
        artifact.add_reference(f"s3://{bucket}/nothing")
    with pytest.raises(ValueError, match=r"'s3://b/x': 'b' is not a name of a bucket"):
        artifact.add_reference("s3://b/x")
    with pytest.raises(FileNotFoundError, match="Cannot read"):
        artifact.add_reference("s3://no-such-bucket-at-all/x/")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(CommError, match="Cannot read"):
        artifact.add_reference(f"s3://{bucket}/data/a.bin")


def test_without_credentials_requests_are_anonymous(
    bucket: str, object_store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store decides whether the bucket is public; the error names the reference and what it needs."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # Where the credentials of the machine are looked for.
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{object_store.endpoint}/{bucket}/none")
    monkeypatch.setenv("HOME", "/nonexistent")

    denied = f"Cannot read the reference 's3://{bucket}/data/a.bin' without credentials (AWS_ACCESS_KEY_ID"
    with pytest.raises(CommError, match=re.escape(denied)):
        Artifact("a", "t").add_reference(f"s3://{bucket}/data/a.bin")
