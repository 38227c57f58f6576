"""Presigned requests with signed headers (AWS Signature Version 4, signature in the query); minio signs no headers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlunsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that anyone may send until it expires, with exactly these headers; never to be logged."""

    url: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"SignedRequest({self.url.partition('?')[0]})"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests with the key of an account."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str

    def sign(
        self, method: str, url: SplitResult, *, now: float, expires_s: int, headers: Mapping[str, str] | None = None
    ) -> SignedRequest:
        """Return a presigned request; ``url`` has an encoded path and query, ``now`` is in seconds since 1970."""
        signed = {name.lower(): value for name, value in (headers or {}).items()}
        time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        names = sorted([*signed, "host"])
        added = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": ";".join(names),
        }
        pairs = [pair for pair in url.query.split("&") if pair] + [f"{name}={_quoted(added[name])}" for name in added]
        query = "&".join(sorted(pair if "=" in pair else f"{pair}=" for pair in pairs))
        lines = [f"{name}:{' '.join((signed | {'host': url.netloc})[name].split())}\n" for name in names]
        request = "\n".join([method, url.path or "/", query, "".join(lines), ";".join(names), _UNSIGNED])
        text = "\n".join([_ALGORITHM, time, scope, hashlib.sha256(request.encode()).hexdigest()])
        signature = hmac.new(_key(self.secret_key, time[:8], self.region), text.encode(), hashlib.sha256).hexdigest()
        complete = url._replace(query=f"{query}&X-Amz-Signature={signature}")
        return SignedRequest(urlunsplit(complete), dict(headers or {}))


@lru_cache(maxsize=8)
def _key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
