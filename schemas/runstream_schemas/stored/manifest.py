"""The manifest of a version of an artifact: its files and references, by path, as canonical JSON.

Two versions with the same files have the same manifest, byte by byte; its SHA-256 is the digest of the version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runstream_schemas.exceptions import InvalidManifest

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """A file with its SHA-256, or, if ``reference`` is set, a URI with the digest that its store has for it."""

    size: int
    #: Of a file; empty for a reference.
    sha256: bytes = b""
    reference: str = ""
    #: Of a reference: what the store has to identify this content (ETag, checksum, or the URI itself).
    digest: str = ""
    #: Of a reference: further properties, such as the version of an object.
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The entries of a version, by path."""

    entries: Mapping[str, ManifestEntry]

    @property
    def size(self) -> int:
        """Bytes of all files and references."""
        return sum(entry.size for entry in self.entries.values())

    def encode(self) -> bytes:
        """Return the canonical JSON: entries in order of their paths, without white space, in UTF-8."""
        content = {"version": _VERSION, "entries": self.fields()}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()

    def fields(self) -> dict[str, dict[str, Any]]:
        """Return the entries as they are encoded, in order of their paths."""
        return {path: _fields(self.entries[path]) for path in sorted(self.entries)}

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Return the manifest that JSON describes; raises InvalidManifest if it does not describe one."""
        try:
            content = json.loads(data)
            if content["version"] != _VERSION:
                raise InvalidManifest(f"Unknown version {content['version']!r} of a manifest: expected {_VERSION}")
            return cls({str(path): _entry(fields) for path, fields in content["entries"].items()})
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidManifest(f"Invalid manifest: {error}") from error


def digest_of(manifest: bytes) -> bytes:
    """Return the digest of a version: the SHA-256 of its encoded manifest."""
    return hashlib.sha256(manifest).digest()


def _fields(entry: ManifestEntry) -> dict[str, Any]:
    if not entry.reference:
        return {"sha256": entry.sha256.hex(), "size": entry.size}
    fields = {"ref": entry.reference, "digest": entry.digest, "size": entry.size}
    return fields | ({"extra": dict(entry.extra)} if entry.extra else {})


def _entry(fields: Mapping[str, Any]) -> ManifestEntry:
    if "ref" in fields:
        return ManifestEntry(
            size=int(fields["size"]),
            reference=str(fields["ref"]),
            digest=str(fields["digest"]),
            extra=dict(fields.get("extra") or {}),
        )
    return ManifestEntry(size=int(fields["size"]), sha256=bytes.fromhex(fields["sha256"]))
