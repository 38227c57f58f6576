"""The names of a run, and the URLs that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Names of a run, as far as the training process knows them."""

    #: None until the server has resolved it.
    entity: str | None
    project: str
    run_id: str
    name: str
    #: URL of the server's pages; None if no server is known.
    server_url: str | None = None

    @property
    def path(self) -> str:
        """``entity/project/id``, without the entity until it is known."""
        return "/".join(part for part in (self.entity, self.project, self.run_id) if part)

    @property
    def project_url(self) -> str | None:
        """URL of the project's page, if it is known."""
        if self.server_url is None or self.entity is None:
            return None
        return f"{self.server_url}/{self.entity}/{self.project}"

    def sweep_url(self, sweep_id: str | None) -> str | None:
        """Return the URL of a sweep's page, if it is known."""
        return None if self.project_url is None or sweep_id is None else f"{self.project_url}/sweeps/{sweep_id}"

    @property
    def url(self) -> str | None:
        """URL of the run's page, if it is known."""
        return None if self.project_url is None else f"{self.project_url}/runs/{self.run_id}"


class RunAddresses:
    """The names and URLs of a run; ``refresh`` completes them with what has become known since its start."""

    def __init__(
        self,
        identity: RunIdentity,
        refresh: Callable[[RunIdentity], RunIdentity],
        warn: Callable[[str], None],
        *,
        offline: bool,
    ) -> None:
        self._identity = identity
        self._refresh = refresh
        self._warn = warn
        self._offline = offline

    @property
    def identity(self) -> RunIdentity:
        """The names, with what is known by now."""
        self._identity = self._refresh(self._identity)
        return self._identity

    @property
    def url(self) -> str | None:
        """URL of the run's page."""
        return self._online().url

    @property
    def project_url(self) -> str | None:
        """URL of the project's page."""
        return self._online().project_url

    def sweep_url(self, sweep_id: str | None) -> str | None:
        """Return the URL of a sweep's page."""
        return self._online().sweep_url(sweep_id)

    def _online(self) -> RunIdentity:
        if self._offline:
            self._warn("URL not available in offline run")
        return self.identity
