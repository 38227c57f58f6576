"""Commands about artifacts as events."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from runstream_consumers.artifact_decisions.model import Collection, Link
from runstream_schemas.events import ArtifactAction, ArtifactEvent, Header, Kind, Role, Writer
from runstream_schemas.stored.artifact_names import COMMANDS_RUN_ID
from runstream_schemas.topics import RunPath


@dataclass(frozen=True, slots=True)
class ArtifactCommand:
    """A command, identified by 16 bytes, and who made it."""

    key: bytes
    principal: str

    def event(
        self, run: RunPath, action: ArtifactAction = ArtifactAction.UNKNOWN, kind: Kind = Kind.DATA, **fields: Any
    ) -> ArtifactEvent:
        """Return the event of a command about a run."""
        header = Header(
            kind=kind,
            run=run,
            writer=Writer(id=self.key, role=Role.COMMAND),
            time=time.time_ns() // 1000,
        )
        return ArtifactEvent(header=header, action=action, principal=self.principal, **fields)

    def about(
        self,
        collection: Collection,
        number: int | None,
        decision: int,
        action: ArtifactAction = ArtifactAction.UNKNOWN,
        kind: Kind = Kind.DATA,
        **fields: Any,
    ) -> ArtifactEvent:
        """Return the event of a command about a version, or about the collection; no run has it."""
        named = {
            "name": collection.name,
            "artifact_entity": collection.entity,
            "artifact_project": collection.project,
            "version": -1 if number is None else number,
            "decision": decision,
        }
        return self.event(commands_of(collection), action, kind, **named, **fields)

    def link(self, action: ArtifactAction, link: Link, target: Collection, **fields: Any) -> ArtifactEvent:
        """Return the event of a link that is made or removed."""
        made, content = link.decision.version, link.version.content
        return self.event(
            commands_of(target),
            action,
            name=link.source.name,
            artifact_entity=link.source.entity,
            artifact_project=link.source.project,
            version=link.version.number,
            type=link.type,
            digest=content.digest,
            manifest_key=content.manifest_key,
            size=content.size,
            file_count=content.file_count,
            target=str(target),
            target_version=-1 if made is None else made.number,
            target_decision=link.decision.number,
            **fields,
        )


def commands_of(collection: Collection) -> RunPath:
    """Return the path under which commands about a project's artifacts are published, so that they outlive runs."""
    return RunPath(entity=collection.entity, project=collection.project, run_id=COMMANDS_RUN_ID)
