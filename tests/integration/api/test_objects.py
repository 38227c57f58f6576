"""Uploads of objects through the API, to a real store."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runstream_consumers.api.uploads import SINGLE_BYTES, part_size
from runstream_schemas.stored.objects import object_key
from tests.integration.api.serving import ENTITY

if TYPE_CHECKING:
    from runstream_deploy.services.object_store import ObjectStore
    from tests.integration.api.serving import Served

_OBJECTS = f"/api/v1/entities/{ENTITY}/objects"


def _described(data: bytes) -> dict[str, Any]:
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "md5": md5}


def _plan(served: Served, *contents: bytes) -> list[dict[str, Any]]:
    answer = served.post(_OBJECTS, {"objects": [_described(data) for data in contents]})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["objects"]
    return found


def _confirm(served: Served, data: bytes) -> dict[str, Any]:
    answer = served.post(f"{_OBJECTS}/confirm", {"objects": [_described(data)]})
    found: dict[str, Any] = answer.json()["objects"][0]
    return found


def test_an_object_is_uploaded_once(served: Served) -> None:
    """A new object has a presigned PUT, also until its bytes are stored; then it is known as stored."""
    data, other = os.urandom(1000), os.urandom(10)
    first, second = _plan(served, data, other)
    assert (first["stored"], second["stored"]) == (False, False)
    assert _confirm(served, data)["reason"] == "the object store does not have it"
    assert httpx.put(first["url"], content=data, headers=first["headers"]).status_code == 200
    # The client died before it confirmed.
    assert _plan(served, data)[0]["stored"]
    assert _confirm(served, data) == {"sha256": first["sha256"], "stored": True, "reason": ""}
    assert [one["stored"] for one in _plan(served, data, other)] == [True, False]


def test_a_request_stores_only_what_was_announced(served: Served) -> None:
    """The presigned request refuses bytes of another hash, and the object stays unknown."""
    data = os.urandom(100)
    (step,) = _plan(served, data)
    assert httpx.put(step["url"], content=os.urandom(100), headers=step["headers"]).status_code == 400
    assert not _confirm(served, data)["stored"]


def test_an_object_that_the_store_lost_is_uploaded_again(served: Served, object_store: ObjectStore) -> None:
    """Confirming finds that the bytes are gone, and the next request has a PUT again."""
    data = os.urandom(100)
    (step,) = _plan(served, data)
    httpx.put(step["url"], content=data, headers=step["headers"])
    assert _confirm(served, data)["stored"]
    bucket, _, key = httpx.URL(step["url"]).path.lstrip("/").partition("/")
    object_store.client().remove_object(bucket_name=bucket, object_name=key)
    assert _confirm(served, data)["reason"] == "the object store does not have it"
    assert not _plan(served, data)[0]["stored"]


def test_a_gap_in_acknowledged_uploads_is_found(served: Served) -> None:
    """Of many uploads with the MD5 that the store acknowledged a sample is looked for; if that has gaps, all are."""
    contents = [os.urandom(20) for _ in range(40)]
    for step, data in zip(_plan(served, *contents)[:10], contents, strict=False):
        httpx.put(step["url"], content=data, headers=step["headers"])
    answer = served.post(f"{_OBJECTS}/confirm", {"objects": [_described(data) for data in contents]})
    assert [one["stored"] for one in answer.json()["objects"]] == [True] * 10 + [False] * 30


def test_an_object_of_another_md5_is_not_confirmed(served: Served) -> None:
    """The MD5 that a client claims is compared with what the store has."""
    data = os.urandom(20)
    (step,) = _plan(served, data)
    httpx.put(step["url"], content=data, headers=step["headers"])
    claimed = {**_described(data), "md5": base64.b64encode(bytes(16)).decode()}
    answer = served.post(f"{_OBJECTS}/confirm", {"objects": [claimed]}).json()["objects"][0]
    assert (answer["stored"], "has other bytes" in answer["reason"]) == (False, True)


def test_a_large_object_is_uploaded_in_parts(served: Served) -> None:
    """Parts are sent in any order, by several requests for the same upload; only exactly these become the object."""
    data = os.urandom(1024) * (SINGLE_BYTES // 1024 + 1)
    (step,) = _plan(served, data)
    path, upload = f"{_OBJECTS}/{step['sha256']}", step["upload_id"]
    assert _plan(served, data)[0]["upload_id"] == upload
    size = step["part_size"]
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    numbers = list(range(1, len(parts) + 1))
    urls = served.post(f"{path}/parts", {"upload_id": upload, "numbers": numbers[::-1]}).json()["parts"]
    for one in urls[1:]:
        assert httpx.put(one["url"], content=parts[one["number"] - 1], timeout=60).status_code == 200
    etags = {number: hashlib.md5(parts[number - 1]).hexdigest() for number in numbers}
    sent = [{"number": number, "etag": etag} for number, etag in etags.items()]
    complete = {"upload_id": upload, "size": len(data), "parts": sent}
    early = served.post(f"{path}/complete", complete)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "parts_differ")
    httpx.put(urls[0]["url"], content=parts[urls[0]["number"] - 1], timeout=60)
    stored = served.get(f"{path}/parts", upload_id=upload)["parts"]
    assert [(one["number"], one["etag"], one["size"]) for one in stored] == [
        (number, etag, len(parts[number - 1])) for number, etag in etags.items()
    ]
    assert served.post(f"{path}/complete", complete).json() == {"stored": True}
    assert served.post(f"{path}/complete", complete).json() == {"stored": True}
    assert _plan(served, data)[0]["stored"]
    # Not looked for again, which would make some stores read all of it.
    assert served.object_store is not None
    key = object_key(ENTITY, hashlib.sha256(data).digest())
    served.object_store.client().remove_object(bucket_name=served.prefix, object_name=key)
    assert _confirm(served, data)["stored"]
    claimed = {**_described(data), "md5": base64.b64encode(bytes(16)).decode()}
    assert served.post(f"{_OBJECTS}/confirm", {"objects": [claimed]}).json()["objects"][0]["stored"]
    late = served.post(f"{path}/parts", {"upload_id": upload, "numbers": [1]})
    assert (late.status_code, late.json()["error"]["code"]) == (404, "no_such_upload")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objects": []}, "objects"),
        ({"objects": [{"sha256": "0" * 63, "size": 1}]}, "sha256"),
        ({"objects": [{"sha256": "../" * 21 + "a", "size": 1}]}, "sha256"),
        ({"objects": [{"sha256": "0" * 64, "size": -1}]}, "size"),
        ({"objects": [{"sha256": "0" * 64, "size": 2**60}]}, "size"),
        ({"objects": [{"sha256": "0" * 64, "size": 1, "md5": "x"}]}, "md5"),
        ({"objects": [{"sha256": "0" * 64, "size": size} for size in (1, 2)]}, "two sizes"),
        ({"objects": [{"sha256": "0" * 64, "size": 1}] * 1001}, "objects"),
    ],
    ids=["none", "short", "path", "negative", "huge", "md5", "sizes", "many"],
)
def test_invalid_requests_are_refused(served: Served, given: Any, message: str) -> None:
    """A request that cannot be about bytes is an error that names the field."""
    answer = served.post(_OBJECTS, given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")
    assert message in answer.json()["error"]["message"]


def test_no_upload_needs_more_than_ten_thousand_parts() -> None:
    """Parts grow with the object, in whole MiB."""
    for size in (SINGLE_BYTES + 1, 10**12, 5 * 2**40):
        assert -(-size // part_size(size)) <= 10_000
        assert part_size(size) % 2**20 == 0
