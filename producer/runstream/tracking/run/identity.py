"""The names of a run, and the URLs that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


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
    def project_url(self) -> str | None:
        """URL of the project's page, if it is known."""
        if self.server_url is None or self.entity is None:
            return None
        return f"{self.server_url}/{_encoded(self.entity)}/{_encoded(self.project)}"

    def sweep_url(self, sweep_id: str | None) -> str | None:
        """Return the URL of a sweep's page, if it is known."""
        if self.project_url is None or sweep_id is None:
            return None
        return f"{self.project_url}/sweeps/{_encoded(sweep_id)}"

    @property
    def url(self) -> str | None:
        """URL of the run's page, if it is known."""
        return None if self.project_url is None else f"{self.project_url}/runs/{_encoded(self.run_id)}"


def _encoded(name: str) -> str:
    # As the server encodes the addresses of its pages.
    return quote(name, safe="")
