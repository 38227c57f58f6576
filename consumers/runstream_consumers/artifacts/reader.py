"""Reads artifacts from the tables of the artifacts consumer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from runstream_consumers.artifact_decisions.model import Collection, Content, Contribution, Published, Version
from runstream_consumers.artifacts.model import VersionKey
from runstream_consumers.artifacts.store import QUERIES
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import values
from runstream_schemas.stored.artifact_names import LATEST, version_number
from runstream_schemas.topics import RunPath

_WHOLE = -1
_DIGEST_DIGITS = 64
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactVersion:
    """A version of a collection. Times are microseconds since 1970, by the brokers' clock.

    A link has the properties of the version that it links, and the aliases of its own collection.
    """

    collection: Collection
    number: int
    type: str
    content: Content
    created: int
    updated: int
    #: The run that logged it first, or made the link.
    run: RunPath
    aliases: Sequence[str] = ()
    tags: Sequence[str] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: Lifetime in seconds; 0 for none of its own, -1 for no end.
    ttl_s: int = 0
    #: When its lifetime ends; None for never.
    expires: int | None = None
    #: Of a link: collection and number of the version that it links.
    source: tuple[Collection, int] | None = None
    #: The links to it.
    links: Sequence[tuple[Collection, int]] = ()

    @property
    def origin(self) -> tuple[Collection, int]:
        """The version itself, or what it links."""
        return self.source or (self.collection, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """The content of a version, and the entity among whose objects it is stored."""

    number: int
    entity: str
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactCollection:
    """A collection with at least one version."""

    collection: Collection
    type: str
    description: str
    ttl_s: int
    tags: Sequence[str]
    #: Each alias with its version.
    aliases: Mapping[str, int]
    versions: int
    created: int
    updated: int
    #: Whether its versions are links.
    portfolio: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A run that logged or used a version."""

    run: RunPath
    use_as: str
    time: int


async def find(connection: Connection, collection: Collection, version: str) -> ArtifactVersion | None:
    """Return the version that an alias, a number such as ``v3``, or a digest names; the latest if it is empty."""
    number = await _number(connection, collection, version or LATEST)
    if number is None:
        return None
    rows = await connection.fetch(QUERIES["version"], collection.key, number)
    return next(iter(await _assemble(connection, rows)), None)


async def was_logged(connection: Connection, collection: Collection, version: str) -> bool:
    """Return whether a number such as ``v3`` is that of a version, deleted or not."""
    number = version_number(version)
    return number is not None and bool(await connection.fetchval(QUERIES["was_logged"], collection.key, number))


async def find_content(connection: Connection, collection: Collection, version: str) -> StoredContent | None:
    """Return the content of a version; cheaper than :func:`find`."""
    number = await _number(connection, collection, version or LATEST)
    row = None if number is None else await connection.fetchrow(QUERIES["version"], collection.key, number)
    if row is None:
        return None
    return StoredContent(number=row["version"], entity=row["source_entity"] or row["entity"], content=_content(row))


async def versions(
    connection: Connection, collection: Collection, *, limit: int, after: int | None = None
) -> list[ArtifactVersion]:
    """Return versions of a collection, the newest first, below the version ``after``."""
    return await _assemble(connection, await connection.fetch(QUERIES["page"], collection.key, after, limit))


async def of_run(
    connection: Connection, run: RunPath, direction: str, *, limit: int, offset: int = 0
) -> list[tuple[ArtifactVersion, str]]:
    """Return the versions that a run logged or used, each once and in order, with what it was used as."""
    rows = await connection.fetch(QUERIES["versions_of_run"], run_key(run), direction, offset, limit)
    found = await _assemble(connection, rows)
    return [(version, _use_as(row)) for version, row in zip(found, rows, strict=True)]


async def runs_of(
    connection: Connection, version: ArtifactVersion, direction: str, *, limit: int, offset: int = 0
) -> list[Relation]:
    """Return the runs that logged or used a version, itself or through a link, each once and in order."""
    collection, number = version.origin
    rows = await connection.fetch(QUERIES["runs_of_version"], collection.key, number, direction, offset, limit)
    return [Relation(run=_run(row), use_as=_use_as(row), time=row["time"]) for row in rows]


async def types(connection: Connection, entity: str, project: str) -> list[tuple[str, int]]:
    """Return the types of a project's artifacts, each with the number of its collections."""
    rows = await connection.fetch(QUERIES["types"], entity, project)
    return [(values.load(row["type"]), row["collections"]) for row in rows]


async def registries(connection: Connection, entity: str) -> list[tuple[str, int]]:
    """Return the registries of an entity, each with the number of its collections."""
    return [tuple(row) for row in await connection.fetch(QUERIES["registries"], entity)]


async def collections(
    connection: Connection,
    entity: str,
    project: str,
    *,
    name: str | None = None,
    kind: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[ArtifactCollection]:
    """Return the collections of a project that have versions, by name: one, those of a type, or all."""
    wanted = None if kind is None else values.dump(kind)
    rows = await connection.fetch(QUERIES["collections"], entity, project, name, wanted, after, limit)
    keys = [row["id"] for row in rows]
    tags = await _tags(connection, [(key, _WHOLE) for key in keys])
    aliases: dict[UUID, dict[str, int]] = {}
    for row in await connection.fetch(QUERIES["aliases"], keys):
        aliases.setdefault(row["collection"], {})[row["name"]] = row["version"]
    return [
        ArtifactCollection(
            collection=Collection(entity=entity, project=project, name=row["name"]),
            type=values.load(row["type"] or '""'),
            description=values.load(row["description"]),
            ttl_s=values.load(row["ttl_s"]),
            tags=tags.get((row["id"], _WHOLE), []),
            aliases=aliases.get(row["id"], {}),
            **{name: row[name] for name in ("versions", "created", "updated", "portfolio")},
        )
        for row in rows
    ]


async def live_manifests(connection: Connection, abandoned: Sequence[UUID] = ()) -> list[tuple[str, str]]:
    """Return entity and key of every manifest of a version that is not deleted, and of every open contribution.

    Contributions to ``abandoned`` drafts are left out.
    """
    rows = await connection.fetch(QUERIES["manifests"], [one.hex for one in abandoned])
    return [(row["entity"], row["manifest_key"]) for row in rows]


async def expired(connection: Connection, now: int, limit: int) -> list[tuple[Collection, int]]:
    """Return versions whose lifetime has ended, the oldest first; ``now`` is microseconds since 1970."""
    rows = await connection.fetch(QUERIES["expired"], now, limit)
    return [(_collection(row), row["version"]) for row in rows]


async def last_decision(connection: Connection, collection: Collection) -> int:
    """Return the last decision about a collection that is stored; 0 if none is."""
    return await connection.fetchval(QUERIES["last_decision"], collection.key) or 0


async def published(connection: Connection, collection: Collection) -> Published | None:
    """Return what is stored about a collection, deleted versions included; None if nothing is."""
    if await connection.fetchval("select to_regclass('artifacts.collection') is null"):
        return None
    last = await last_decision(connection, collection)
    if not last:
        return None
    rows = await connection.fetch(QUERIES["published_versions"], collection.key)
    known = [
        Version(
            number=row["version"],
            content=_content(row),
            source=None if row["source"] is None else (row["source"], row["source_version"]),
            deleted=row["is_deleted"],
        )
        for row in rows
    ]
    contributions = [
        Contribution(
            draft=UUID(row["draft"]),
            distributed_id=values.load(row["distributed_id"]),
            decision=row["decision"],
            manifest_key=row["manifest_key"],
        )
        for row in await connection.fetch(QUERIES["published_contributions"], collection.key)
    ]
    properties = await _properties(connection, [(collection.key, _WHOLE)])
    return Published(
        type=properties.get((collection.key, _WHOLE), {}).get("type", ""),
        portfolio=any(version.source is not None for version in known),
        last_version=max((version.number for version in known), default=-1),
        last_decision=last,
        versions=known,
        contributions=contributions,
    )


async def _number(connection: Connection, collection: Collection, version: str) -> int | None:
    """Return the number of the version that a text names."""
    number = version_number(version)
    if number is None and version != LATEST:
        number = await connection.fetchval(QUERIES["of_alias"], collection.key, version)
        if number is None and len(version) == _DIGEST_DIGITS:
            number = await connection.fetchval(QUERIES["of_digest"], collection.key, _bytes(version))
    elif number is None:
        number = await connection.fetchval(QUERIES["latest"], collection.key)
    return number


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


async def _assemble(connection: Connection, rows: Sequence[Any]) -> list[ArtifactVersion]:
    """Return versions with their properties, aliases, tags and links, which are read for all of them at once."""
    if not rows:
        return []
    origins = [(row["origin"], row["origin_version"]) for row in rows]
    wholes = [(origin, _WHOLE) for origin, _ in origins] + [(row["collection"], _WHOLE) for row in rows]
    keys = [(row["collection"], row["version"]) for row in rows]
    properties = await _properties(connection, [*origins, *wholes, *keys])
    tags = await _tags(connection, origins)
    aliases: dict[VersionKey, list[str]] = {}
    for row in await connection.fetch(QUERIES["aliases"], list({row["collection"] for row in rows})):
        aliases.setdefault((row["collection"], row["version"]), []).append(row["name"])
    links: dict[VersionKey, list[tuple[Collection, int]]] = {}
    for row in await connection.fetch(QUERIES["links"], *columns_of(origins)):
        links.setdefault((row["source"], row["source_version"]), []).append((_collection(row), row["version"]))
    found = []
    for row, key, origin in zip(rows, keys, origins, strict=True):
        own, whole = properties.get(origin, {}), properties.get((origin[0], _WHOLE), {})
        lifetime = own.get("ttl_s") or whole.get("ttl_s") or 0
        is_kept = bool(key != origin or links.get(origin) or set(aliases.get(key, [])) - {LATEST})
        found.append(
            ArtifactVersion(
                collection=_collection(row),
                number=row["version"],
                type=properties.get((row["collection"], _WHOLE), {}).get("type", ""),
                content=_content(row),
                created=row["created"],
                updated=max(row["created"], own.get("time", 0), properties.get(key, {}).get("time", 0)),
                run=_run(row),
                aliases=aliases.get(key, []),
                tags=tags.get(origin, []),
                description=own.get("description", ""),
                metadata=own.get("metadata", {}),
                ttl_s=own.get("ttl_s", 0),
                expires=row["created"] + lifetime * _SECOND if lifetime > 0 and not is_kept else None,
                source=_source(row),
                links=links.get(origin, []),
            )
        )
    return found


async def _properties(connection: Connection, keys: Iterable[VersionKey]) -> dict[VersionKey, dict[str, Any]]:
    """Return the properties of versions, and when the last of them changed as ``time``."""
    found: dict[VersionKey, dict[str, Any]] = {}
    for row in await connection.fetch(QUERIES["properties"], *columns_of(keys)):
        properties = found.setdefault((row["collection"], row["version"]), {"time": 0})
        properties[row["name"]] = values.load(row["value"])
        properties["time"] = max(properties["time"], row["time"])
    return found


async def _tags(connection: Connection, keys: Sequence[VersionKey]) -> dict[VersionKey, list[str]]:
    found: dict[VersionKey, list[str]] = {}
    if keys:
        for row in await connection.fetch(QUERIES["tags"], *columns_of(keys)):
            found.setdefault((row["collection"], row["version"]), []).append(row["name"])
    return found


def _use_as(row: Any) -> str:
    """Return what a version was used as; of several uses by a run, all of them."""
    return ", ".join(dict.fromkeys(filter(None, map(values.load, row["uses"]))))


def _collection(row: Any) -> Collection:
    return Collection(entity=row["entity"], project=row["project"], name=row["name"])


def _source(row: Any) -> tuple[Collection, int] | None:
    if row["source_name"] is None:
        return None
    collection = Collection(entity=row["source_entity"], project=row["source_project"], name=row["source_name"])
    return collection, row["source_version"]


def _content(row: Any) -> Content:
    return Content(
        digest=row["digest"], manifest_key=row["manifest_key"], size=row["size"], file_count=row["file_count"]
    )


def _run(row: Any) -> RunPath:
    return RunPath(entity=row["run_entity"], project=row["run_project"], run_id=row["run_id"])
