"""The methods of a run of the public API that are about artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.names import checked_aliases, checked_tags
from runstream.public_api.artifacts import Artifacts
from runstream.server.api_connection import ApiConnection
from runstream.server.settling import until


class RunArtifacts:
    """What a run logged and used."""

    _connection: ApiConnection
    _address: str
    _entity: str
    _project: str

    def logged_artifacts(self, per_page: int = 100) -> Artifacts:
        """Return the artifacts that the run logged, in order; pages are read as they are needed."""
        return self._artifacts("logged", per_page)

    def used_artifacts(self, per_page: int = 100) -> Artifacts:
        """Return the artifacts that the run used, in order; pages are read as they are needed."""
        return self._artifacts("used", per_page)

    def _artifacts(self, direction: str, per_page: int) -> Artifacts:
        return Artifacts(self._connection, f"{self._address}/artifacts", per_page, direction=direction)

    def log_artifact(
        self, artifact: Artifact, aliases: Sequence[str] | None = None, tags: Sequence[str] | None = None
    ) -> Artifact:
        """Record an artifact of ``Api().artifact()`` as an output of the run; return it.

        Args:
            artifact: A version of a collection of the run's project.
            aliases: Aliases to add to the version.
            tags: Tags to add to the version.

        Raises:
            ValueError: It is no stored artifact, or one of another project.
        """
        stored = _checked(artifact)
        if stored.source_place != (self._entity, self._project):
            raise ValueError(
                f"A run cannot log an artifact to another project: {stored.source_qualified_name} is not of "
                f"{self._entity}/{self._project}"
            )
        more = {"aliases": checked_aliases(aliases), "tags": checked_tags(tags)}
        self._relate("log", stored, more, self.logged_artifacts)
        return Artifact.of_version(stored._stored("log_artifact()").again())  # noqa: SLF001 - of a class of ours

    def use_artifact(self, artifact: Artifact, use_as: str | None = None) -> Artifact:
        """Record an artifact of ``Api().artifact()`` as an input of the run; return it.

        Raises ValueError if it is no stored artifact.
        """
        self._relate("use", _checked(artifact), {"use_as": use_as or ""}, self.used_artifacts)
        return artifact

    def _relate(self, action: str, artifact: Artifact, more: dict[str, Any], related: Any) -> None:
        body = {"action": action, "entity": artifact.entity, "project": artifact.project, "name": artifact.name, **more}
        self._connection.command(f"{self._address}/artifacts", body)
        name = artifact.source_qualified_name
        until(
            lambda: any(one.source_qualified_name == name for one in related()),
            f"{action} {artifact.qualified_name} by the run",
        )


def _checked(artifact: Any) -> Artifact:
    if not isinstance(artifact, Artifact) or artifact.is_draft():
        raise ValueError(f"Invalid artifact {artifact!r:.200}: expected one of runstream.Api().artifact(name)")
    return artifact
