"""Deprecated methods of W&B's ``Run``; :class:`Run` assigns them to its names."""

from __future__ import annotations

from typing import Any


def warn_deprecated(self: Any, name: str, instead: str) -> None:
    """Print that a name is deprecated, and what to use instead."""
    self._backend.terminal.warn(f"run.{name} is deprecated; use {instead} instead")


def project_name(self: Any) -> str:
    """Return the project. Deprecated."""
    warn_deprecated(self, "project_name()", "project")
    return str(self.project)


def get_url(self: Any) -> str | None:
    """Return the URL of the run's page. Deprecated."""
    warn_deprecated(self, "get_url()", "url")
    url: str | None = self.url
    return url


def get_project_url(self: Any) -> str | None:
    """Return the URL of the project's page. Deprecated."""
    warn_deprecated(self, "get_project_url()", "project_url")
    url: str | None = self.project_url
    return url


def get_sweep_url(self: Any) -> str | None:
    """Return the URL of the sweep's page. Deprecated."""
    warn_deprecated(self, "get_sweep_url()", "sweep_url")
    url: str | None = self.sweep_url
    return url


def join(self: Any, exit_code: int | None = None) -> None:
    """Finish the run. Deprecated."""
    warn_deprecated(self, "join()", "finish()")
    self.finish(exit_code)
