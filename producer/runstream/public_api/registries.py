"""Registries: projects of collections that hold links to versions of other projects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from runstream.artifacts.artifact import Artifact
from runstream.exceptions import UsageError
from runstream.public_api.artifacts import ArtifactCollection, ArtifactCollections
from runstream.server.api_connection import ApiConnection
from runstream_schemas.stored.artifact_names import REGISTRY_PREFIX, is_registry


class Registry:
    """A registry of an entity."""

    def __init__(self, connection: ApiConnection, entity: str, name: str) -> None:
        self._connection = connection
        self.entity = entity
        self.full_name = name if is_registry(name) else f"{REGISTRY_PREFIX}{name}"

    def __repr__(self) -> str:
        return f"<Registry {self.entity}/{self.full_name}>"

    @property
    def name(self) -> str:
        """The name, without the prefix of its project."""
        return self.full_name.removeprefix(REGISTRY_PREFIX)

    @property
    def organization(self) -> str:
        """The entity: on a server of one's own it has the place of W&B's organization."""
        return self.entity

    def collections(self, filter: Mapping[str, Any] | None = None, per_page: int = 100) -> list[ArtifactCollection]:  # noqa: A002 - as in W&B
        """Return the collections, or those that fulfill ``{"name": "x"}`` or ``{"name": {"$regex": "x"}}``."""
        found = ArtifactCollections(self._connection, self.entity, self.full_name, per_page=per_page)
        return [one for one in found if _fulfills(filter, one.name)]

    def versions(self, filter: Mapping[str, Any] | None = None, per_page: int = 100) -> Iterator[Artifact]:  # noqa: A002
        """Yield the links of these collections, newest first within each."""
        for collection in self.collections(filter, per_page):
            yield from collection.artifacts(per_page)


def registries(connection: ApiConnection, entity: str, names: Mapping[str, Any] | None) -> list[Registry]:
    """Return the registries of an entity that hold a link, by name; ``names`` as for :meth:`Registry.collections`."""
    found = connection.get(f"/artifact-registries/{quote(entity, safe='')}")["registries"]
    listed = [Registry(connection, entity, one["project"]) for one in found]
    return [one for one in listed if _fulfills(names, one.name)]


def _fulfills(conditions: Mapping[str, Any] | None, name: str) -> bool:
    """Return whether a name fulfills conditions; raises UsageError for other conditions than of the name."""
    for field, wanted in (conditions or {}).items():
        if field != "name" or not (isinstance(wanted, str) or set(wanted) == {"$regex"}):
            raise UsageError(f'Invalid filter {{{field!r}: {wanted!r}}}: expected {{"name": "x"}} or {{"$regex": "x"}}')
        if name != wanted if isinstance(wanted, str) else re.search(wanted["$regex"], name) is None:
            return False
    return True
