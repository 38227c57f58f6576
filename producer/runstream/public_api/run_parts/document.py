"""The properties of a run of the public API that are in its document, and their changes before they are published."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from runstream.public_api.run_parts.summary import RunSummary
from runstream.run_names import validate_tags
from runstream.server.api_connection import ApiConnection
from runstream.server.endpoints import run_address
from runstream_schemas.topics import RunPath

#: W&B's prefix of system metrics.
_SYSTEM = "system."
#: What documents in lists do not have, or not in full.
_LEFT_OUT = ("metadata", "omitted", "charts", "failure")


class RunDocument:
    """The document of a run: read once, and again by ``load(force=True)``.

    ``name``, ``notes``, ``tags``, ``group``, ``job_type``, ``config`` and ``summary`` can be changed; nothing is
    published before ``update()`` or ``summary.update()``, and ``load(force=True)`` discards the changes.
    """

    def __init__(self, connection: ApiConnection, entity: str, project: str, run_id: str, document: Any = None) -> None:
        self._connection = connection
        self._entity = entity
        self._project = project
        self._id = run_id
        self._address = run_address(RunPath(entity=entity, project=project, run_id=run_id))
        self._keep(document)

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"

    def load(self, force: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # W&B's signature
        """Return the run's document, read from the server the first time or if forced.

        Raises:
            NotFoundError: The server does not know the run.
            CommError: The server does not answer.
        """
        if self._document is None or force:
            self._keep(self._get())
        return cast("dict[str, Any]", self._document)

    def load_full_data(self, force: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # W&B's signature
        """Call :meth:`load`, and read what lists of runs leave out of their documents."""
        document = self.load(force)
        return self._completed() if document.get("omitted") else document

    def _keep(self, document: Any) -> None:
        """Keep a document, without any changes."""
        self._document = document
        self._changed: dict[str, Any] = {}
        #: The config with its changes, and as it was read.
        self._config: tuple[dict[str, Any], dict[str, Any]] | None = None
        self._summary: RunSummary | None = None

    def _completed(self) -> dict[str, Any]:
        """Add what lists of runs leave out to the document, which otherwise stays as it was read."""
        found = self._get()
        self._document = self.load() | {name: found[name] for name in _LEFT_OUT}
        return cast("dict[str, Any]", self._document)

    def _get(self, what: str | None = None, **parameters: Any) -> Any:
        return self._connection.get(self._address if what is None else f"{self._address}/{what}", **parameters)

    @property
    def id(self) -> str:
        """The unique identifier of the run in its project."""
        return self._id

    @property
    def entity(self) -> str:
        """The entity of the run."""
        return self._entity

    @property
    def username(self) -> str:
        """Deprecated: use :attr:`entity`."""
        warnings.warn("Run.username is deprecated; use Run.entity", DeprecationWarning, stacklevel=2)
        return self._entity

    @property
    def project(self) -> str:
        """The project of the run."""
        return self._project

    @property
    def path(self) -> list[str]:
        """Entity, project and id."""
        return [self._entity, self._project, self._id]

    @property
    def storage_id(self) -> str:
        """The identifier of the run in the whole stack."""
        return "/".join(self.path)

    @property
    def name(self) -> str:
        """The name of the run, or its id if it has none."""
        return str(self._described("name"))

    @name.setter
    def name(self, name: str) -> None:
        self._changed["name"] = str(name)

    @property
    def display_name(self) -> str:
        """The name of the run."""
        return self.name

    @display_name.setter
    def display_name(self, name: str) -> None:
        self.name = name

    @property
    def url(self) -> str:
        """The URL of the run's page."""
        return str(self.load()["url"])

    @property
    def state(self) -> str:
        """One of pending, running, finished, failed, crashed, killed, preempting, preempted."""
        return str(self.load()["state"])

    @property
    def qualifiers(self) -> list[str]:
        """Qualifiers of the state: stale, unreachable, finishing, incomplete, late, presumed."""
        return list(self.load()["qualifiers"])

    @property
    def failure(self) -> dict[str, Any] | None:
        """The exception that ended the run: ``{"type", "message", "traceback", "writer", "role", "label"}`` or None."""
        failure = self.load().get("failure")
        if failure is not None and failure["traceback"] is None:  # as in lists of runs
            failure = self._completed()["failure"]
        return cast("dict[str, Any] | None", failure)

    @property
    def config(self) -> dict[str, Any]:
        """The config, nested as it was set: a dict that can be changed, and published by ``update()``."""
        if self._config is None:
            self._config = copy.deepcopy(self.load()["config"]), copy.deepcopy(self.load()["config"])
        return self._config[0]

    @property
    def rawconfig(self) -> dict[str, Any]:
        """The config; there are no internal keys in it."""
        return self.config

    @property
    def tags(self) -> list[str]:
        """The tags of the run: a list that can be changed."""
        tags: list[str] = self._changed.setdefault("tags", list(self.load()["tags"]))
        return tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._changed["tags"] = list(validate_tags(tags))

    @property
    def notes(self) -> str | None:
        """The notes on the run."""
        return self._text("notes")

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._changed["notes"] = notes

    @property
    def group(self) -> str | None:
        """The group of the run."""
        return self._text("group")

    @group.setter
    def group(self, group: str | None) -> None:
        self._changed["group"] = group

    @property
    def job_type(self) -> str | None:
        """The job type of the run."""
        return self._text("job_type")

    @job_type.setter
    def job_type(self, job_type: str | None) -> None:
        self._changed["job_type"] = job_type

    @property
    def sweep_name(self) -> str | None:
        """The id of the sweep of the run; None if it has none."""
        found = self.load().get("sweep_id")
        return None if found is None else str(found)

    @property
    def created_at(self) -> str:
        """When the run began, by the clock of its process unless that is ahead of the server's: ISO 8601, UTC."""
        return str(self.load()["created_at"])

    @property
    def heartbeat_at(self) -> str:
        """When something of the run arrived last, by the clock of the server: ISO 8601, UTC."""
        return str(self.load()["updated_at"])

    @property
    def duration(self) -> float | None:
        """Seconds from its begin to its end, or until now while it is running; None if it has not begun."""
        document = self.load()
        if document["created_at"] is None:
            return None
        last = datetime.fromisoformat(document["ended_at"]) if document["ended_at"] else datetime.now(tz=UTC)
        return max(0.0, (last - datetime.fromisoformat(document["created_at"])).total_seconds())

    @property
    def metadata(self) -> dict[str, Any]:
        """Where the run comes from: host, program, arguments, Git, packages, hardware, container and job."""
        return dict(self.load_full_data()["metadata"])

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The definitions made by ``define_metric``."""
        return list(self.load()["metrics"])

    @property
    def pinned_config_keys(self) -> list[str]:
        """The config keys at the top of the run's page."""
        return list(self.load()["pinned_config_keys"])

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802  # W&B's name
        """The last step of the history; -1 if nothing was logged."""
        last = self.load()["last_step"]
        return -1 if last is None else int(last)

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last value of each system metric, as ``{"system.cpu.percent": 12.5, …}``."""
        series = self._get("system", samples=2)["series"]
        return {_SYSTEM + item["key"]: item["values"][-1] for item in series if item["values"]}

    @property
    def transitions(self) -> list[dict[str, Any]]:
        """The state transitions: ``{"time": seconds, "from", "to", "reason"}``, oldest first."""
        return list(self._get("state")["transitions"])

    @property
    def writers(self) -> list[dict[str, Any]]:
        """The writers of the run, each with role, label, host, state and outcome."""
        return list(self._get("state")["writers"])

    @property
    def delivery(self) -> dict[str, Any]:
        """The progress of delivery: ``{"complete", "arrived", "lost", "writers": [{"writer", …, "topics"}]}``.

        ``complete``: every record is stored; ``arrived``: every record is stored or lost, so that nothing more will
        arrive.
        """
        return dict(self._get("delivery"))

    @property
    def lost(self) -> int:
        """The number of lost records: on a full disk or in a damaged spool, for example. See :attr:`losses`."""
        return int(self.load().get("lost", 0))

    @property
    def losses(self) -> list[dict[str, Any]]:
        """The lost records by topic and reason: ``{"topic", "reason", "count"}``. See :attr:`delivery` for ranges."""
        return list(self.load().get("losses", ()))

    def _described(self, name: str) -> Any:
        return self._changed[name] if name in self._changed else self.load()[name]

    def _text(self, name: str) -> str | None:
        value = self._described(name)
        return None if value is None else str(value)
