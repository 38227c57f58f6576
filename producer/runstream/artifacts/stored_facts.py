"""What the server knows of a version: properties that an artifact has once it is stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from runstream.artifacts.stored_version import StoredVersion


class StoredFacts(ABC):
    """Properties of a stored version. Before, they raise ArtifactNotLoggedError."""

    @abstractmethod
    def _stored(self, what: str) -> StoredVersion:
        """Return the stored version; raises ArtifactNotLoggedError, which names what needs it, without one."""

    def _fact(self, name: str) -> Any:
        return self._stored(name).document.get(name)

    def _source(self, what: str) -> dict[str, Any]:
        """Return the names of the version that a link leads to, or of the version itself."""
        document = self._stored(what).document
        return dict(document.get("source") or document)

    @property
    def entity(self) -> str:
        """Entity of the collection."""
        return self._stored("entity").path.entity

    @property
    def project(self) -> str:
        """Project of the collection."""
        return self._stored("project").path.project

    @property
    def version(self) -> str:
        """The version in its collection: ``v0``, ``v1`` and so on."""
        return self._stored("version").path.version

    @property
    def qualified_name(self) -> str:
        """``entity/project/name:version``."""
        return str(self._stored("qualified_name").path)

    @property
    def id(self) -> str | None:
        """What identifies the version on its server; None before it is stored."""
        return self.qualified_name if self._is_stored else None

    @property
    @abstractmethod
    def _is_stored(self) -> bool:
        """Whether the version is known to be stored."""

    @property
    def is_link(self) -> bool:
        """Whether this is a link, in another collection, to a version."""
        return self._is_stored and bool(self._fact("source"))

    @property
    def source_entity(self) -> str:
        """Entity of the version that a link leads to; without a link, :attr:`entity`."""
        return str(self._source("source_entity")["entity"])

    @property
    def source_project(self) -> str:
        """Project of the version that a link leads to; without a link, :attr:`project`."""
        return str(self._source("source_project")["project"])

    @property
    def source_version(self) -> str:
        """The version that a link leads to; without a link, :attr:`version`."""
        return f"v{self._source('source_version')['version']}"

    @property
    def source_qualified_name(self) -> str:
        """``entity/project/name:version`` of the version that a link leads to."""
        source = self._source("source_qualified_name")
        return f"{source['entity']}/{source['project']}/{source['name']}:v{source['version']}"

    @property
    def url(self) -> str:
        """URL of the page of the version."""
        stored = self._stored("url")
        path = stored.path
        parts = (path.entity, path.project, "artifacts", path.name, path.version)
        return "/".join((stored.connection.url, *(quote(part, safe="") for part in parts)))

    @property
    def created_at(self) -> str:
        """When the version was committed, in ISO 8601."""
        return str(self._fact("created_at"))

    @property
    def updated_at(self) -> str:
        """When the version was changed last, in ISO 8601."""
        return str(self._fact("updated_at"))

    @property
    def file_count(self) -> int:
        """Number of files and references."""
        return int(self._fact("file_count"))

    @property
    def commit_hash(self) -> str:
        """The digest of the contents."""
        return str(self._stored("commit_hash").document["digest"])

    @property
    def linked_artifacts(self) -> list[Any]:
        """The links to this version, as they are now."""
        return [self._linked(link) for link in self._stored("linked_artifacts").again().document.get("links") or []]

    @property
    def source_artifact(self) -> Any:
        """The version that a link leads to; without a link, this artifact."""
        source = self._source("source_artifact")
        return self._linked(source) if self.is_link else self

    @abstractmethod
    def _linked(self, names: dict[str, Any]) -> Any:
        """Return the artifact with names."""

    @property
    def history_step(self) -> int | None:
        """The step at which the version was logged, if it is known."""
        step = self._fact("history_step")
        return None if step is None else int(step)

    @property
    def collection(self) -> Any:
        """The collection of the version."""
        path = self._stored("collection").path
        return self._collection(path.entity, path.project, path.name)

    @property
    def source_collection(self) -> Any:
        """The collection of the version that a link leads to."""
        source = self._source("source_collection")
        return self._collection(source["entity"], source["project"], source["name"])

    def _collection(self, entity: str, project: str, name: str) -> Any:
        return _reading("artifacts", "ArtifactCollection")(self._stored("collection").connection, entity, project, name)

    def logged_by(self) -> Any:
        """Return the run that logged the version first, or None if there is none."""
        path = self._fact("logged_by")
        return None if not path else self._run(*str(path).split("/"))

    def used_by(self) -> list[Any]:
        """Return the runs that used the version, each once."""
        return [self._run(*run) for run in self._stored("used_by").runs("used")]

    def _run(self, entity: str, project: str, run_id: str) -> Any:
        return _reading("run", "Run")(self._stored("logged_by").connection, entity, project, run_id)


def _reading(module: str, name: str) -> Any:
    """Return a class of the public API, which imports this package."""
    return getattr(import_module(f"runstream.public_api.{module}"), name)
