"""Presigned requests with signed headers (AWS Signature Version 4, signature in the query); minio signs no headers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, quote

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
        names = tuple(sorted([*signed, "host"]))
        stamp, parameters = _parameters(self.access_key, self.region, int(now), expires_s, names)
        pairs = [pair if "=" in pair else f"{pair}=" for pair in url.query.split("&") if pair]
        query = "&".join(sorted([*pairs, *parameters])) if pairs else "&".join(parameters)
        signed["host"] = url.netloc
        lines = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
        request = f"{method}\n{url.path or '/'}\n{query}\n{lines}\n{';'.join(names)}\n{_UNSIGNED}"
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(_key(self.secret_key, stamp[:8], self.region), text.encode(), "sha256").hex()
        address = f"{url.scheme}://{url.netloc}{url.path}?{query}&X-Amz-Signature={signature}"
        return SignedRequest(address, dict(headers or {}))


@lru_cache(maxsize=64)
def _parameters(
    access_key: str, region: str, second: int, expires_s: int, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return the time as text, and the sorted parameters of the query without the signature."""
    time = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{access_key}/{time[:8]}/{region}/s3/aws4_request",
        "X-Amz-Date": time,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": ";".join(names),
    }
    return time, tuple(sorted(f"{name}={quote(value, safe='-_.~')}" for name, value in added.items()))


@lru_cache(maxsize=8)
def _key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
