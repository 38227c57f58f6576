"""The bodies of requests about artifacts, and the responses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from runstream_schemas.limits import DEFAULT_LIMITS

_BIGINT = 2**63 - 1

Count = Annotated[int, Field(ge=0, le=_BIGINT)]
#: Bytes in hexadecimal digits.
WriterId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ShortText = Annotated[str, Field(max_length=DEFAULT_LIMITS.name_length)]


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CommitBody(_Fields):
    """A manifest that is stored, and the record for which its version is requested."""

    type: ShortText = ""
    action: Literal["log", "upsert"] = "log"
    #: Of an upsert: whether it is the last one, which makes the version.
    finalize: bool = False
    distributed_id: ShortText = ""
    digest: Digest
    manifest_key: str
    size: Count
    file_count: Count
    #: Path of the run, for messages.
    run: str = ""
    writer: WriterId
    seq: Count


class CommitAnswer(_Fields):
    """The decision, and the content of the version. An upsert that is not the last one has no version."""

    version: int | None
    decision: int
    draft: str | None
    type: str
    digest: str
    manifest_key: str
    size: int
    file_count: int


class LinkBody(_Fields):
    """A version that is linked to a collection."""

    #: ``entity/project/name``
    target: str
    version: Count
    run: str = ""
    writer: WriterId
    seq: Count


class LinkAnswer(_Fields):
    """The decision about the target, and the version that is linked."""

    target_version: int
    target_decision: int
    entity: str
    project: str
    name: str
    version: int
    type: str
    digest: str
    manifest_key: str
    size: int
    file_count: int
