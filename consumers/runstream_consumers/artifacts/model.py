"""What events say about artifacts, as facts that do not depend on the order of the events. Pure.

Every fact has a key, and a rule by which two facts of one key are merged: the smallest, the greatest, or the greatest
of each part. The decisions that events carry are their order; so partitions may be read in any order, and repeatedly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from runstream_consumers.artifact_decisions.model import Collection
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_schemas import values
from runstream_schemas.events import ArtifactAction, ArtifactEvent, Kind
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.stored.artifact_names import (
    is_reserved_alias,
    parse_reference,
    problem_of_alias,
    problem_of_target_name,
)
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import is_name

#: The version in the keys of properties and labels of a whole collection.
WHOLE = -1
ALIAS, TAG = "alias", "tag"
LOGGED, USED = "logged", "used"
#: The properties that an update may set, and their types.
_CHANGEABLE: Mapping[str, type[Any]] = {"description": str, "metadata": dict, "ttl_s": int}
#: Of a lifetime: some 3 000 years, in seconds.
MAX_TTL_S = 100_000_000_000
_SHA256_BYTES = 32

#: Collection and version.
VersionKey = tuple[UUID, int]


class At(NamedTuple):
    """The decision that an event carries, and its append time."""

    decision: int
    time: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts by key; the values are the columns that follow the key in the table of the same name."""

    collections: dict[UUID, tuple[str, str, str]] = field(default_factory=dict)
    versions: dict[VersionKey, tuple[Any, ...]] = field(default_factory=dict)
    properties: dict[tuple[UUID, int, str], tuple[int, str, int]] = field(default_factory=dict)
    labels: dict[tuple[UUID, int, str, str], tuple[int, int]] = field(default_factory=dict)
    lineage: dict[tuple[UUID, UUID, int, str, str], tuple[str, str, str, int]] = field(default_factory=dict)
    contributions: dict[tuple[str, UUID, int], tuple[UUID, str, int, str]] = field(default_factory=dict)

    def add(self, event: ArtifactEvent, time: int) -> None:
        """Add what an event says; ``time`` is its append time. Raises MalformedEvent if it is invalid."""
        at = At(event.decision, time)
        if event.kind is Kind.DELETED:
            self._delete(event, at)
        elif event.kind is Kind.DATA and (add := _ADD.get(event.action)):
            add(self, event, at)

    def _log(self, event: ArtifactEvent, at: At) -> None:
        key = self._version(_collection(event), event.version, event, at)
        given = {"description": event.description, "metadata": _json(event.metadata), "ttl_s": event.ttl_s}
        # Logged again without a description, for example, a version keeps the one that it has.
        self._change(key, {name: value for name, value in given.items() if value}, at)
        self._label(key, ALIAS, at, add=_aliases(event.aliases))
        self._label(key, TAG, at, add=event.tags)
        self._relate(event, key, LOGGED, at)

    def _use(self, event: ArtifactEvent, at: At) -> None:
        collection = _collection(event)
        self._collect(collection)
        self._relate(event, (collection.key, _number(event.version)), USED, at)

    def _contribute(self, event: ArtifactEvent, at: At) -> None:
        _check_manifest(event)
        key = self._decided(_collection(event), event.type, at)
        row = (key, values.dump(event.distributed_id), at.decision, event.manifest_key)
        self.contributions[_draft(event.draft), writer_key(event.writer.id), event.seq] = row

    def _link(self, event: ArtifactEvent, at: At) -> None:
        at = At(event.target_decision, at.time)
        key = self._version(_target(event), event.target_version, event, at, (_collection(event).key, event.version))
        self._label(key, ALIAS, at, add=_aliases(event.aliases))

    def _unlink(self, event: ArtifactEvent, at: At) -> None:
        at = At(event.target_decision, at.time)
        key = self._decided(_target(event), None, at)
        self._set((key, _number(event.target_version)), "deleted", None, at)

    def _update(self, event: ArtifactEvent, at: At) -> None:
        changes = _json(event.changes)
        if not isinstance(changes, dict):
            raise MalformedEvent(f"Changes of an artifact must be a JSON object, not {event.changes[:100]!r}")
        key = (self._decided(_collection(event), None, at), max(event.version, WHOLE))
        self._change(key, changes, at)
        self._set(key, "updated", None, at)
        add, remove = _labels(changes, "aliases")
        self._label(key, ALIAS, at, add=_aliases(add), remove=remove)
        add, remove = _labels(changes, "tags")
        self._label(key, TAG, at, add=add, remove=remove)

    def _delete(self, event: ArtifactEvent, at: At) -> None:
        self._set((self._decided(_collection(event), None, at), max(event.version, WHOLE)), "deleted", None, at)

    def _collect(self, collection: Collection) -> None:
        self.collections[collection.key] = (collection.entity, collection.project, collection.name)

    def _decided(self, collection: Collection, kind: str | None, at: At) -> UUID:
        """Add a collection about which something was decided; return its key."""
        if at.decision < 1:
            raise MalformedEvent(f"Event about artifact {collection} with decision {at.decision}: expected 1 or more")
        self._collect(collection)
        if kind is not None:
            self._set((collection.key, WHOLE), "type", kind, at)
        return collection.key

    def _version(
        self, collection: Collection, number: int, event: ArtifactEvent, at: At, source: VersionKey | None = None
    ) -> VersionKey:
        """Add a version that an event logs or, with ``source``, links; return its key."""
        _check_manifest(event)
        key = (self._decided(collection, event.type, at), _number(number))
        run, origin = event.run, source or (None, None)
        draft = event.draft if source is None else ""
        content = (event.digest, event.manifest_key, event.size, event.file_count, draft, *origin)
        row = (*at, run.entity, run.project, run.run_id, *content)
        self.versions[key] = min(row, self.versions.get(key, row), key=_first)
        self._set(key, "logged", None, at)
        return key

    def _change(self, key: VersionKey, changes: Mapping[str, Any], at: At) -> None:
        for name, kind in _CHANGEABLE.items():
            if name not in changes:
                continue
            value: Any = changes[name]
            if type(value) is not kind or (name == "ttl_s" and value > MAX_TTL_S):
                raise MalformedEvent(f"Invalid {name} of an artifact: expected {kind.__name__}, not {value!r:.100}")
            self._set(key, name, value, at)

    def _set(self, key: VersionKey, name: str, value: Any, at: At) -> None:
        row = (at.decision, values.dump(value), at.time)
        self.properties[*key, name] = max(row, self.properties.get((*key, name), row))

    def _label(
        self, key: VersionKey, kind: str, at: At, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        changed = [(name, at.decision, 0) for name in add] + [(name, 0, at.decision) for name in remove]
        for name, added, removed in changed:
            if problem := problem_of_alias(name):
                raise MalformedEvent(f"Invalid {kind} {name!r} of an artifact: {problem}")
            known = self.labels.get((*key, kind, name), (0, 0))
            self.labels[*key, kind, name] = max(added, known[0]), max(removed, known[1])

    def _relate(self, event: ArtifactEvent, key: VersionKey, direction: str, at: At) -> None:
        run = event.run
        place = (run_key(run), *key, direction, values.dump(event.use_as))
        known = self.lineage.get(place)
        time = at.time if known is None else min(at.time, known[-1])
        self.lineage[place] = (run.entity, run.project, run.run_id, time)


_ADD = {
    ArtifactAction.LOG: Facts._log,  # noqa: SLF001 — its own methods
    ArtifactAction.USE: Facts._use,  # noqa: SLF001
    ArtifactAction.UPSERT: Facts._contribute,  # noqa: SLF001
    ArtifactAction.LINK: Facts._link,  # noqa: SLF001
    ArtifactAction.UNLINK: Facts._unlink,  # noqa: SLF001
    ArtifactAction.UPDATE: Facts._update,  # noqa: SLF001
}


def _first(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return by which of two events a version is defined: that of the smaller decision."""
    return row[:2]


def _collection(event: ArtifactEvent) -> Collection:
    entity, project = event.artifact_entity or event.run.entity, event.artifact_project or event.run.project
    problem = problem_of_target_name(event.name)
    if problem or not is_name(entity) or not is_name(project):
        raise MalformedEvent(f"Invalid name of an artifact {f'{entity}/{project}/{event.name}'!r}: {problem or 'path'}")
    return Collection(entity=entity, project=project, name=event.name)


def _target(event: ArtifactEvent) -> Collection:
    try:
        found = parse_reference(event.target)
    except ValueError as error:
        raise MalformedEvent(f"Invalid target of a link: {error}") from error
    if not found.entity or found.version:
        raise MalformedEvent(f"Invalid target of a link {event.target!r}: expected entity/project/name")
    return Collection(entity=found.entity, project=found.project, name=found.name)


def _number(version: int) -> int:
    if version < 0:
        raise MalformedEvent(f"Event about a version of an artifact with number {version}")
    return version


def _json(text: str) -> Any:
    """Return the value of a JSON text; an empty one stands for an empty object."""
    try:
        values.check(text or "{}", depth=DEFAULT_LIMITS.depth)
    except ValueError as error:
        raise MalformedEvent(f"Invalid JSON of an artifact: {error}") from error
    return values.load(text or "{}")


def _check_manifest(event: ArtifactEvent) -> None:
    """Raise MalformedEvent unless the manifest is stored under its digest, among the objects of its collection."""
    collection = _collection(event)
    if len(event.digest) != _SHA256_BYTES or event.manifest_key != object_key(collection.entity, event.digest):
        raise MalformedEvent(f"Artifact {collection} has no manifest of its digest: {event.manifest_key!r:.150}")


def _draft(text: str) -> str:
    try:
        return UUID(text).hex
    except ValueError:
        raise MalformedEvent(f"Invalid draft {text!r:.100} of an artifact: expected a UUID") from None


def _aliases(aliases: Iterable[str]) -> Iterator[str]:
    """Yield the aliases that can be given to a version; ``latest`` and ``v3`` follow from the versions."""
    return (alias for alias in aliases if not is_reserved_alias(alias))


def _labels(changes: Mapping[str, Any], name: str) -> tuple[list[str], list[str]]:
    """Return the names that a change adds and removes."""
    given = changes.get(name, {})
    found: list[list[str]] = []
    for part in ("add", "remove"):
        texts = given.get(part, []) if isinstance(given, dict) else None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise MalformedEvent(f"Invalid change of {name} of an artifact: expected lists 'add' and 'remove'")
        found.append(texts)
    return found[0], found[1]
