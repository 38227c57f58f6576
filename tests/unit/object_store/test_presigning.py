"""Presigned requests."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest
from minio.credentials.credentials import Credentials
from minio.signer import presign_v4

from runstream_consumers.object_store.presigning import Signer

_SIGNER = Signer("key", "secr/et+", "eu-central-1")
_NOW = 1_700_000_000


@pytest.mark.parametrize("query", ["", "partNumber=3&uploadId=a%2Fb"], ids=["object", "part"])
def test_a_request_without_headers_is_signed_as_by_minio(query: str) -> None:
    """Without signed headers, the URL has the parameters and the signature of minio's."""
    url = urlsplit(f"https://s3.example:9000/bucket/a/b%20c?{query}".rstrip("?"))
    signed = _SIGNER.sign("PUT", url, now=_NOW, expires_s=60)
    expected = presign_v4(
        method="PUT",
        url=url,
        region="eu-central-1",
        credentials=Credentials("key", "secr/et+"),
        date=datetime.fromtimestamp(_NOW, UTC),
        expires=60,
    )
    assert parse_qs(urlsplit(signed.url).query) == parse_qs(expected.query)
    assert signed.url.partition("?")[0] == urlunsplit(expected).partition("?")[0]


def test_signatures_and_keys_are_not_in_representations() -> None:
    """What is logged by accident has neither the signature nor the secret key."""
    signed = _SIGNER.sign("GET", urlsplit("https://s3.example/bucket/a"), now=_NOW, expires_s=60)
    assert repr(signed) == "SignedRequest(https://s3.example/bucket/a)"
    assert "secr" not in repr(_SIGNER)
