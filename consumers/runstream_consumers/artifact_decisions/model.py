"""What is decided about collections of artifacts, and why a decision is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from runstream_schemas.stored.manifest import Manifest, ManifestEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection of versions: ``entity/project/name``."""

    entity: str
    project: str
    name: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def key(self) -> UUID:
        """The first 16 bytes of the SHA-256 of entity, project and name, joined by NUL."""
        text = f"{self.entity}\0{self.project}\0{self.name}"
        return UUID(bytes=hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16])


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The manifest of a version, and the sums of its entries."""

    digest: bytes
    manifest_key: str
    size: int
    file_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestId:
    """The record of a writer for which a decision is requested."""

    writer: UUID
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version that exists in the tables of decisions."""

    number: int
    content: Content
    #: Of a link: the version that it links.
    source: tuple[UUID, int] | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """A manifest that is to be merged into the version of a draft."""

    draft: UUID
    distributed_id: str
    decision: int
    manifest_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What events have published about a collection: from it, lost tables are made again."""

    type: str
    portfolio: bool
    last_version: int = -1
    last_decision: int = 0
    versions: Sequence[Version] = ()
    contributions: Sequence[Contribution] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a request. A draft without a version is open, or, if ``merge`` is set, to be merged."""

    number: int
    version: Version | None = None
    draft: UUID | None = None
    merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A decision about the target of a link, and the linked version with its collection and type."""

    decision: Decision
    source: Collection
    version: Version
    type: str


class Refused(Exception):  # noqa: N818 — an answer
    """A decision that contradicts earlier ones; ``code`` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def source_content(collection: UUID, version: int) -> bytes:
    """Return what makes two links to the same version the same version of a collection."""
    return hashlib.sha256(b"link" + collection.bytes + version.to_bytes(8)).digest()


def merged(manifests: Sequence[Manifest]) -> Manifest:
    """Return the union of contributions in order of their decisions: of two entries of a path, the later one counts."""
    entries: dict[str, ManifestEntry] = {}
    for manifest in manifests:
        entries |= manifest.entries
    return Manifest(entries)


def wrong_type(collection: Collection, known: str, asked: str) -> Refused:
    """Return the refusal of an artifact whose type is not that of its collection."""
    return Refused(
        "wrong_type",
        f"Artifact {collection} already has the type {known!r}, which does not change: log it with this type, or"
        f" choose another name for type {asked!r}.",
    )


def wrong_collection(collection: Collection, *, portfolio: bool) -> Refused:
    """Return the refusal of a log into a collection of links, or of a link into one of logged versions."""
    if portfolio:
        message = f"{collection} is a collection of links: log the artifact under another name, and link it."
    else:
        message = f"{collection} has versions that were logged: choose another collection as target of the link."
    return Refused("wrong_collection", message)
