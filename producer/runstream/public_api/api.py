"""The public API: reading runs from the server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from runstream.artifacts.artifact import Artifact
from runstream.exceptions import CommError
from runstream.public_api.artifact_queries import ArtifactQueries
from runstream.public_api.exceptions import NotFoundError
from runstream.public_api.projects import Project, User
from runstream.public_api.run import Run
from runstream.public_api.run_parts.run_pages import Sweep, filter_text
from runstream.public_api.runs import Runs
from runstream.server.api_connection import ApiConnection
from runstream.server.discovery import resolve_server
from runstream.server.messages import NO_SERVER
from runstream.server.paths import NamedProject, parse_project, parse_run
from runstream.settings import checked_settings, server_environ
from runstream_schemas.topics import canonical_project

_TIMEOUT_S = 30.0
#: Entity and project.
_PROJECT_PARTS = 2


class Api(ArtifactQueries):
    """Reads runs: ``Api().run("entity/project/id")``.

    Args:
        overrides: ``base_url``, ``entity`` and ``project`` to use instead of those of the environment.
        timeout: Seconds that one request may take.
        api_key: The key of the server, instead of RUNSTREAM_API_KEY or that of the discovery file.

    The server is that of ``base_url``, or else of RUNSTREAM_URL, or else of a settings file, or else the local stack.
    No request is sent yet.

    Raises:
        UsageError: The URL is not one of a server, or a setting is invalid.
        CommError: No server is known.
    """

    def __init__(
        self, overrides: Mapping[str, str] | None = None, timeout: float | None = None, api_key: str | None = None
    ) -> None:
        given = dict(overrides or {})
        environ = os.environ
        settings = checked_settings({"base_url": given.get("base_url") or None, "api_key": api_key or None})
        if (server := resolve_server(server_environ(environ, settings), settings.base_url)) is None:
            raise CommError(NO_SERVER)
        if api_key:
            server = replace(server, token=api_key, key_source="api_key")
        self._connection = ApiConnection(server, timeout=timeout or _TIMEOUT_S)
        self._defaults = NamedProject(
            entity=given.get("entity") or environ.get("RUNSTREAM_ENTITY") or environ.get("WANDB_ENTITY") or None,
            project=given.get("project")
            or environ.get("RUNSTREAM_PROJECT")
            or environ.get("WANDB_PROJECT")
            or "uncategorized",
        )

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._connection.url

    def run(self, path: str = "") -> Run:
        """Return the run of a path: ``entity/project/id``, ``project/id``, ``id`` or the URL of its page.

        Raises:
            UsageError: The path is invalid.
            NotFoundError: The server does not know the run.
            CommError: The server does not answer.
        """
        named = parse_run(path, self._defaults)
        run = Run(self._connection, named.entity or self.default_entity, named.project, named.run_id)
        run.load()
        return run

    def runs(  # noqa: PLR0917  # W&B's signature
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str = "+created_at",
        per_page: int = 50,
        include_sweeps: bool = True,  # noqa: FBT001, FBT002  # W&B's signature
        lazy: bool = True,  # noqa: FBT001, FBT002
    ) -> Runs:
        """Return the runs that fulfill a filter.

        Args:
            path: The project, ``entity/project`` or ``project``; None for all projects.
            filters: A filter like those of MongoDB, such as ``{"config.lr": {"$gt": 0.1}, "state": "finished"}``, with
                the operators and fields of docs/http-api.md.
            order: ``created_at``, ``heartbeat_at``, ``config.KEY``, ``summary_metrics.KEY`` or another field, with
                ``-`` in front for a descending order. Runs without a value come last.
            per_page: Number of runs of a page.
            include_sweeps: Accepted as in W&B; sweeps are read when they are needed.
            lazy: Accepted as in W&B; the documents of lists have config and summary in any case.

        Raises:
            InvalidFilterError: The server does not accept the filter or the order, as soon as runs are read. A
                ValueError, a CommError and a UsageError.
        """
        del include_sweeps, lazy
        return self.select(path, per_page, filters=filter_text(filters), order=order or "+created_at")

    def select(self, path: str | None = None, per_page: int = 50, **conditions: Any) -> Runs:
        """Return the runs of a project, or of all projects, that fulfill all conditions, newest first.

        Args:
            path: As for :meth:`runs`.
            per_page: Number of runs of a page.
            conditions: ``id, state, tag, group, job_type, user, name, config, since, filters`` and ``order`` of the
                HTTP API (docs/http-api.md); a list where a condition may be repeated.
        """
        entity, project = self._project(path)
        return Runs(self._connection, per_page=per_page, entity=entity, project=project, **conditions)

    def sweep(self, path: str) -> Sweep[Run]:
        """Return the sweep ``[entity/][project/]id``; raises NotFoundError if no run has it."""
        named = parse_run(path, self._defaults)
        found = Sweep(self._connection, Run, named.entity or self.default_entity, named.project, named.run_id)
        if not len(found.runs):
            raise NotFoundError(f"Unknown sweep {'/'.join(found.path)}: no run has it as its sweep_id")
        return found

    def alerts(self, path: str | None = None, per_page: int = 50, *, repeats: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the alerts of a project's runs (paths as for :meth:`runs`), newest first, read page by page.

        Args:
            path: ``entity/project`` or ``project``; None for all projects.
            per_page: Number of alerts of a page.
            repeats: Include those within the ``wait_duration`` of an earlier one.
        """
        entity, project = self._project(path)
        scope: dict[str, Any] = {"entity": entity, "project": project, "limit": per_page, "repeats": repeats}
        for page in self._connection.pages("/alerts", **scope):
            yield from page["alerts"]

    def projects(self, entity: str | None = None, per_page: int = 200) -> list[Project]:
        """Return the projects of an entity, or all, latest change first; ``per_page`` is accepted as in W&B."""
        del per_page
        documents = self._connection.get("/projects", entity=entity)["projects"]
        return [Project(document, self) for document in documents]

    def project(self, name: str, entity: str | None = None) -> Project:
        """Return a project, ``name`` or ``entity/name``; raises NotFoundError if it has no run and was not created."""
        place = self._named(name, entity)
        for found in self.projects(place[0]):
            if found.name == place[1]:
                return found
        raise NotFoundError(f"Unknown project {'/'.join(place)}: no run of it has arrived, and it was not created")

    def create_project(self, name: str, entity: str | None = None) -> Project:
        """Create a project, and return it; nothing changes if it exists. A run creates its project by itself.

        Raises:
            UsageError: The name is not valid.
            CommError: The server does not answer.
        """
        owner, project = self._named(name, entity)
        return Project(self._connection.command("/projects", {"entity": owner, "project": project}), self)

    def create_run(
        self,
        *,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        state: Literal["running", "pending"] = "running",
    ) -> Run:
        """Create a run that no process writes to yet; see :meth:`runstream.apis.public.Run.create`."""
        return Run.create(self, run_id=run_id, project=project, entity=entity, state=state)

    @property
    def viewer(self) -> User:
        """The user of the Api."""
        found = self._connection.get("/viewer")
        return User(username=found["id"], entity=found["entity"])

    def from_path(self, path: str) -> Run | Project | Artifact:
        """Return what a path names: ``entity/project/runs/id``, ``entity/project/name:alias``, or ``entity/project``.

        ``project/id`` and ``entity/project/id`` are runs.

        Raises:
            NotFoundError: The server does not know it.
            UsageError: The path is invalid.
            CommError: The server does not answer.
        """
        parts = path.strip("/").split("/")
        if ":" in parts[-1] and "//" not in path:
            return self.artifact(path)
        if len(parts) == 1 or (len(parts) == _PROJECT_PARTS and parts[0] == self.default_entity):
            return self.project(path)
        return self.run(path)

    def flush(self) -> None:
        """Forget what was read. Nothing is kept here: each call reads from the server, and a run on ``load()``."""

    @property
    def connection(self) -> ApiConnection:
        """The connection to the server."""
        return self._connection

    def place(self, project: str | None = None, entity: str | None = None) -> tuple[str, str]:
        """Return entity and project, those of the Api by default."""
        return entity or self.default_entity, canonical_project(project or self._defaults.project)

    def _named(self, name: str, entity: str | None) -> tuple[str, str]:
        named = parse_project(name, self._defaults)
        return entity or named.entity or self.default_entity, named.project

    def _project(self, path: str | None) -> tuple[str | None, str | None]:
        """Return entity and project of a path; for None, the default entity, if one is set, and all projects."""
        if path is None:
            return self._defaults.entity, None
        named = parse_project(path, self._defaults)
        return named.entity or self.default_entity, named.project
