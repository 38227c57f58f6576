"""The requests and responses of uploads (docs/http-api.md)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

#: A SHA-256, hexadecimal.
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: An MD5 in base64, as in the header Content-MD5.
Md5 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{21}[AQgw]==$")]
#: The largest object of S3.
MAX_SIZE = 5 * 2**40
Size = Annotated[int, Field(ge=0, le=MAX_SIZE)]
PartNumber = Annotated[int, Field(ge=1, le=10_000)]

_MOST = 1000


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Content(_Model):
    """Bytes that a client has."""

    sha256: Sha256
    size: Size
    md5: Md5 | None = None


class Contents(_Model):
    """Bytes that a client is about to store, or has stored."""

    objects: list[Content] = Field(min_length=1, max_length=_MOST)


class PartNumbers(_Model):
    """The parts of an upload that a client is about to send."""

    upload_id: str = Field(max_length=1000)
    numbers: list[PartNumber] = Field(min_length=1, max_length=_MOST)


class SentPart(_Model):
    """A part that a client has sent, with the ETag of the response."""

    number: PartNumber
    etag: str = Field(max_length=200)


class SentParts(_Model):
    """All parts of an upload."""

    upload_id: str = Field(max_length=1000)
    size: Size
    parts: list[SentPart] = Field(min_length=1, max_length=10_000)


class UploadPlan(_Model):
    """What a client has to do for each object that is not stored, and for how many seconds the requests are valid."""

    objects: list[dict[str, Any]]
    expires_s: int
    #: How long an object is kept that nothing refers to yet, seconds.
    kept_s: int


class Confirmed(_Model):
    """Whether an object is stored; if not, why."""

    sha256: str
    stored: bool
    reason: str = ""


class Confirmation(_Model):
    """Which objects are stored."""

    objects: list[Confirmed]
    kept_s: int


class PartUrl(_Model):
    """Where a part is stored with PUT."""

    number: int
    url: str


class PartUrls(_Model):
    """Where parts are stored."""

    parts: list[PartUrl]
    expires_s: int


class StoredPart(_Model):
    """A part that the store has."""

    number: int
    etag: str
    size: int


class StoredParts(_Model):
    """The parts of an upload that the store has."""

    parts: list[StoredPart]


class Stored(_Model):
    """The object is stored."""

    stored: bool = True
