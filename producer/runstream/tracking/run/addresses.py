"""The names and URLs of a run, kept up to date with what the server resolves after the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.tracking.run.identity import RunIdentity


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
