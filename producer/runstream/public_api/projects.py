"""Projects and users of the public API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.terminal.page_frame import frame_html

if TYPE_CHECKING:
    from runstream.public_api.artifacts import ArtifactType
    from runstream.public_api.runs import Runs


class Project:
    """A project: a named set of runs of an entity."""

    def __init__(self, document: Mapping[str, Any], api: Any) -> None:
        self._document = document
        self._api = api

    def __repr__(self) -> str:
        return f"<Project {'/'.join(self.path)}>"

    @property
    def entity(self) -> str:
        """The entity of the project."""
        return str(self._document["entity"])

    @property
    def name(self) -> str:
        """The name of the project."""
        return str(self._document["project"])

    @property
    def id(self) -> str:
        """What identifies the project on its server."""
        return "/".join(self.path)

    @property
    def path(self) -> list[str]:
        """Entity and name."""
        return [self.entity, self.name]

    @property
    def url(self) -> str:
        """The URL of the project's page."""
        return str(self._document["url"])

    @property
    def run_count(self) -> int:
        """The number of its runs."""
        return int(self._document["runs"])

    @property
    def updated_at(self) -> str:
        """When one of its runs was changed last, in ISO 8601."""
        return str(self._document["updated_at"])

    def runs(self, **conditions: Any) -> Runs:
        """Return the runs of the project; arguments as for ``Api.runs``."""
        found: Runs = self._api.runs(self.id, **conditions)
        return found

    def artifacts_types(self) -> list[ArtifactType]:
        """Return the types of the artifacts of the project."""
        found: list[ArtifactType] = self._api.artifact_types(self.id)
        return found

    def to_html(self, height: int = 420, hidden: bool = False) -> str:  # noqa: FBT001, FBT002  # W&B's signature
        """Return HTML with the project's page in a frame; arguments as for ``Run.to_html``."""
        return frame_html(self.url, self.name, height, hidden=hidden)

    _repr_html_ = to_html


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who makes the requests of an Api."""

    #: The principal that the server knows.
    username: str
    #: The entity of paths without one.
    entity: str

    @property
    def name(self) -> str:
        """The principal."""
        return self.username

    @property
    def teams(self) -> list[str]:
        """The entities of the user."""
        return [self.entity]
