"""Artifacts that W&B logged offline: their files are in W&B's staging folder, as long as nobody empties it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.importing.records import NotImported, StoredArtifact
from runstream.importing.wandb.fields import ArtifactField, EntryField, ManifestField
from runstream.importing.wandb.values import UnreadableValueError, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream.importing.wandb.wire import Message


def artifact(record: Message) -> StoredArtifact | NotImported:
    """Return the artifact of a record if all its files are on this machine."""
    name, kind = record.text(ArtifactField.NAME), record.text(ArtifactField.TYPE)
    what = "artifacts"
    manifest = record.message(ArtifactField.MANIFEST)
    files: dict[str, Path] = {}
    references: dict[str, str] = {}
    try:
        for path, local, reference in _entries(manifest):
            if reference:
                references[path] = reference
            elif local and Path(local).is_file():
                files[path] = Path(local)
            else:
                return NotImported(what, f"{name!r}: its file {path!r} is not on this machine")
        metadata = parsed(record.text(ArtifactField.METADATA) or "{}")
    except (OSError, ValueError, TypeError, AttributeError, UnreadableValueError) as error:
        return NotImported(what, f"{name!r}: its contents cannot be read: {error!s:.200}")
    return StoredArtifact(
        name,
        kind,
        files,
        references,
        metadata if isinstance(metadata, dict) else {},
        record.text(ArtifactField.DESCRIPTION),
        tuple(alias for alias in record.texts(ArtifactField.ALIASES) if alias != "latest"),
    )


def _entries(manifest: Message | None) -> Iterator[tuple[str, str, str]]:
    """Yield path, place on this machine and reference of the entries, which may be in a file of their own."""
    if manifest is None:
        return
    for entry in manifest.messages(ManifestField.CONTENTS):
        yield entry.text(EntryField.PATH), entry.text(EntryField.LOCAL_PATH), entry.text(EntryField.REFERENCE)
    if place := manifest.text(ManifestField.FILE_PATH):
        yield from map(_from_json, Path(place).read_text(encoding="utf-8").splitlines())


def _from_json(line: str) -> tuple[str, str, str]:
    found: dict[str, Any] = json.loads(line)
    return str(found["path"]), str(found.get("local_path") or ""), str(found.get("ref") or "")
