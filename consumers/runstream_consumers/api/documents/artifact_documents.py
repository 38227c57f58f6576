"""JSON responses about artifacts."""

from __future__ import annotations

from urllib.parse import quote

from runstream_consumers.api.documents import artifact_models as models
from runstream_consumers.api.documents.run_documents import iso
from runstream_consumers.artifact_decisions.model import Collection
from runstream_consumers.artifacts.reader import ArtifactCollection, ArtifactVersion, Relation
from runstream_schemas import values
from runstream_schemas.stored.artifact_names import COMMANDS_RUN_ID
from runstream_schemas.stored.manifest import Manifest


def version_document(version: ArtifactVersion) -> models.ArtifactDocument:
    """Return the document of a version."""
    return models.ArtifactDocument(
        entity=version.collection.entity,
        project=version.collection.project,
        name=version.collection.name,
        type=version.type,
        version=version.number,
        aliases=[*version.aliases],
        tags=[*version.tags],
        description=version.description,
        metadata=dict(version.metadata),
        digest=version.content.digest.hex(),
        manifest_key=version.content.manifest_key,
        size=version.content.size,
        file_count=version.content.file_count,
        created_at=iso(version.created),
        updated_at=iso(version.updated),
        ttl_s=version.ttl_s,
        expires_at=None if version.expires is None else iso(version.expires),
        state="committed",
        logged_by=None if version.run.run_id == COMMANDS_RUN_ID else str(version.run),
        source=None if version.source is None else _link(*version.source),
        links=[_link(*link) for link in version.links],
    )


def artifact_path(collection: Collection, number: int) -> str:
    """Return the path of a version's routes."""
    parts = (collection.entity, collection.project, f"{collection.name}:v{number}")
    return f"/api/v1/artifacts/{'/'.join(quote(part, safe=':') for part in parts)}"


def manifest_text(manifest: Manifest, place: str) -> str:
    """Return the JSON of a manifest, in which each file has the address of its content."""
    entries = manifest.fields()
    for path, fields in entries.items():
        if "sha256" in fields:
            fields["url"] = f"{place}/files/{quote(path)}"
    return values.dump({"version": 1, "entries": entries})


def run_artifact(version: ArtifactVersion, use_as: str) -> models.RunArtifact:
    """Return the document of a version that a run logged or used."""
    return models.RunArtifact(**version_document(version).model_dump(), use_as=use_as)


def collection_document(found: ArtifactCollection) -> models.ArtifactCollectionDocument:
    """Return the document of a collection."""
    return models.ArtifactCollectionDocument(
        entity=found.collection.entity,
        project=found.collection.project,
        name=found.collection.name,
        type=found.type,
        description=found.description,
        ttl_s=found.ttl_s,
        tags=[*found.tags],
        aliases=dict(found.aliases),
        versions=found.versions,
        created_at=iso(found.created),
        updated_at=iso(found.updated),
        portfolio=found.portfolio,
    )


def run_list(relations: list[Relation], following: str | None) -> models.ArtifactRunList:
    """Return a page of the runs that logged or used a version."""
    runs = [
        models.ArtifactRun(
            entity=one.run.entity,
            project=one.run.project,
            run_id=one.run.run_id,
            use_as=one.use_as,
            time=iso(one.time),
        )
        for one in relations
    ]
    return models.ArtifactRunList(runs=runs, next=following)


def _link(collection: Collection, number: int) -> models.ArtifactLink:
    return models.ArtifactLink(
        entity=collection.entity, project=collection.project, name=collection.name, version=number
    )
