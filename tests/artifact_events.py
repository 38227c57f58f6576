"""Events about artifacts with the decisions that the API would make."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from runstream_schemas import values
from runstream_schemas.events import ArtifactAction, ArtifactEvent, Header, Kind, Role, Writer
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath

ENTITY, PROJECT = "ada", "digits"
TIME = 1_767_323_045_000_000


@dataclass(slots=True)
class ArtifactHistory:
    """Makes events; each run has one writer, and each collection its own decisions and versions."""

    events: list[ArtifactEvent] = field(default_factory=list)
    _decisions: Counter[str] = field(default_factory=Counter)
    #: The versions that are not deleted by their content, and the last number of each collection.
    _versions: dict[str, dict[bytes, int]] = field(default_factory=dict)
    _last: Counter[str] = field(default_factory=Counter)
    _seqs: Counter[str] = field(default_factory=Counter)

    def log(self, name: str, content: str, *, run: str = "one", draft: str = "", **fields: Any) -> int:
        """Log content, and return its version."""
        digest = hashlib.sha256(content.encode()).digest()
        version = self._number(f"{ENTITY}/{PROJECT}/{name}", digest)
        self._add(ArtifactAction.LOG, run, name, version=version, draft=draft, **self._content(digest), **fields)
        return version

    def upsert(self, name: str, content: str, draft: str, *, run: str = "one") -> None:
        """Contribute content to a draft."""
        digest = hashlib.sha256(content.encode()).digest()
        self._add(ArtifactAction.UPSERT, run, name, draft=draft, distributed_id="d", **self._content(digest))

    def use(self, name: str, version: int, *, run: str = "one", use_as: str = "", project: str = PROJECT) -> None:
        """Use a version, perhaps in a run of another project."""
        path = RunPath(entity=ENTITY, project=project, run_id=run)
        header = self._header(path)
        self.events.append(
            ArtifactEvent(
                header=header,
                action=ArtifactAction.USE,
                name=name,
                artifact_entity=ENTITY,
                artifact_project=PROJECT,
                version=version,
                use_as=use_as,
            )
        )

    def link(self, name: str, version: int, target: str, *, run: str = "one", **fields: Any) -> int:
        """Link a version, and return its version in the target."""
        source = hashlib.sha256(f"{name}/{version}".encode()).digest()
        number = self._number(target, source)
        digest = {known: digest for digest, known in self._versions[f"{ENTITY}/{PROJECT}/{name}"].items()}[version]
        linked: dict[str, Any] = {"target": target, "target_version": number, "target_decision": self._decide(target)}
        self._add(ArtifactAction.LINK, run, name, version=version, **linked, **self._content(digest), **fields)
        return number

    def unlink(self, name: str, version: int, target: str) -> None:
        """Remove a link."""
        source = hashlib.sha256(f"{name}/{version}".encode()).digest()
        number = self._versions[target].pop(source)
        linked: dict[str, Any] = {"target": target, "target_version": number, "target_decision": self._decide(target)}
        self._add(ArtifactAction.UNLINK, "one", name, version=version, type="t", **linked)

    def update(self, name: str, version: int = -1, **changes: Any) -> None:
        """Change a version, or the collection."""
        self._add(ArtifactAction.UPDATE, ":artifacts", name, version=version, changes=values.dump(changes))

    def delete(self, name: str, version: int = -1) -> None:
        """Delete a version, or the collection."""
        known = self._versions[f"{ENTITY}/{PROJECT}/{name}"]
        for content in [content for content, number in known.items() if version in {-1, number}]:
            del known[content]
        self._add(ArtifactAction.UNKNOWN, ":artifacts", name, kind=Kind.DELETED, version=version)

    def _add(self, action: ArtifactAction, run: str, name: str, *, kind: Kind = Kind.DATA, **fields: Any) -> None:
        path = RunPath(entity=ENTITY, project=PROJECT, run_id=run)
        decision = self._decide(f"{ENTITY}/{PROJECT}/{name}")
        header = self._header(path, kind)
        self.events.append(ArtifactEvent(header=header, action=action, name=name, decision=decision, **fields))

    def _header(self, run: RunPath, kind: Kind = Kind.DATA) -> Header:
        writer = Writer(id=hashlib.sha256(str(run).encode()).digest()[:16], role=Role.PRIMARY)
        seq = self._seqs[str(run)]
        self._seqs[str(run)] += 1
        return Header(kind=kind, run=run, writer=writer, time=TIME, seq=seq, order=seq)

    def _content(self, digest: bytes) -> dict[str, Any]:
        return {
            "type": "t",
            "digest": digest,
            "manifest_key": object_key(ENTITY, digest),
            "size": digest[0],
            "file_count": 1,
        }

    def _number(self, collection: str, content: bytes) -> int:
        known = self._versions.setdefault(collection, {})
        if content not in known:
            known[content] = self._last[collection]
            self._last[collection] += 1
        return known[content]

    def versions(self, name: str) -> list[int]:
        """Return the versions of a collection that are not deleted."""
        return sorted(self._versions.get(f"{ENTITY}/{PROJECT}/{name}", {}).values())

    def _decide(self, collection: str) -> int:
        self._decisions[collection] += 1
        return self._decisions[collection]


def by_run(events: list[ArtifactEvent]) -> list[list[ArtifactEvent]]:
    """Return the events of each run, in order."""
    ordered = sorted(events, key=lambda event: (str(event.run), event.seq))
    return [[*group] for _, group in itertools.groupby(ordered, key=lambda event: str(event.run))]
