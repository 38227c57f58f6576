"""The bodies of requests about artifacts, and the responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
    #: Of a shipper, which publishes the event itself: the record.
    writer: WriterId | None = None
    seq: Count = 0
    aliases: Annotated[list[ShortText], Field(max_length=1000)] = []


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


class ArtifactLink(_Fields):
    """A link to a version, or the version that a link stands for."""

    entity: str
    project: str
    name: str
    version: int


class ArtifactDocument(_Fields):
    """A version of an artifact. Times are RFC 3339."""

    entity: str
    project: str
    name: str
    type: str
    version: int
    aliases: list[str]
    tags: list[str]
    description: str
    metadata: dict[str, Any]
    digest: str
    manifest_key: str
    size: int
    file_count: int
    created_at: str
    updated_at: str
    ttl_s: int
    #: Null if it does not expire.
    expires_at: str | None
    state: str
    #: Path of the run that logged it, or made the link; null if that was a command.
    logged_by: str | None
    #: Of a link: what it links.
    source: ArtifactLink | None
    links: list[ArtifactLink]


class ArtifactList(_Fields):
    """Versions of artifacts."""

    artifacts: list[ArtifactDocument]
    next: str | None


class RunArtifact(ArtifactDocument):
    """A version that a run logged or used."""

    use_as: str


class RunArtifactList(_Fields):
    """The versions that a run logged or used, in order."""

    artifacts: list[RunArtifact]
    next: str | None


class ArtifactManifest(_Fields):
    """The files and references of a version, by path (docs/http-api.md)."""

    version: int
    entries: dict[str, dict[str, Any]]


class FilePaths(_Fields):
    """Files of a version."""

    paths: Annotated[list[str], Field(max_length=1000)]


class FileUrls(_Fields):
    """Presigned URLs of files by their path, and for how many seconds they are valid."""

    urls: dict[str, str]
    expires_s: int


class ArtifactType(_Fields):
    """A type of a project's artifacts."""

    type: str
    collections: int


class Registry(_Fields):
    """A project of collections that hold links."""

    project: str
    collections: int


class RegistryList(_Fields):
    """The registries of an entity."""

    registries: list[Registry]


class ArtifactTypeList(_Fields):
    """The types of a project's artifacts."""

    types: list[ArtifactType]


class ArtifactCollectionDocument(_Fields):
    """A collection that has versions."""

    entity: str
    project: str
    name: str
    type: str
    description: str
    ttl_s: int
    tags: list[str]
    #: Each alias with its version.
    aliases: dict[str, int]
    versions: int
    created_at: str
    updated_at: str
    #: Whether its versions are links.
    portfolio: bool


class ArtifactCollectionList(_Fields):
    """Collections of a project, by name."""

    collections: list[ArtifactCollectionDocument]
    next: str | None


class ArtifactRun(_Fields):
    """A run that logged or used a version."""

    entity: str
    project: str
    run_id: str
    use_as: str
    time: str


class ArtifactRunList(_Fields):
    """The runs that logged or used a version, in order."""

    runs: list[ArtifactRun]
    next: str | None


class Labels(_Fields):
    """Aliases or tags that are added and removed."""

    add: Annotated[list[str], Field(max_length=1000)] = []
    remove: Annotated[list[str], Field(max_length=1000)] = []


class ArtifactChange(_Fields):
    """What is changed; what is left out stays as it is."""

    aliases: Labels | None = None
    tags: Labels | None = None
    description: Annotated[str, Field(max_length=DEFAULT_LIMITS.string_length)] | None = None
    metadata: dict[str, Any] | None = None
    #: 0 for that of the collection, -1 for no end.
    ttl_s: Annotated[int, Field(ge=-1, le=100_000_000_000)] | None = None


class RunArtifactBody(_Fields):
    """A version that is recorded as logged or used by a run."""

    action: Literal["log", "use"]
    entity: str
    project: str
    #: The name with an alias, a version or a digest.
    name: str
    use_as: ShortText = ""
    aliases: list[str] = []
    tags: list[str] = []


class ArtifactDecision(_Fields):
    """The decision about a version, or a collection; then ``version`` is null."""

    version: int | None
    decision: int
