"""A run, read from the server."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, cast

from runstream.exceptions import UsageError
from runstream.public_api.files import File, Files, file_named, upload_file
from runstream.public_api.frames import META, pick, table
from runstream.public_api.run_artifacts import RunArtifacts
from runstream.public_api.run_tables import logged_table
from runstream.public_api.value_files import resolved
from runstream.server.api_connection import ApiConnection
from runstream.server.endpoints import run_address
from runstream_schemas.topics import RunPath

_STREAMS = {"default": "history", "history": "history", "system": "system"}
#: W&B's prefix of system metrics.
_SYSTEM = "system."


class Run(RunArtifacts):
    """A run, read through the HTTP API.

    Its document is read once; ``load(force=True)`` reads it again. Metrics, delivery and console are always read again.
    """

    def __init__(self, connection: ApiConnection, entity: str, project: str, run_id: str, document: Any = None) -> None:
        self._connection = connection
        self._entity = entity
        self._project = project
        self._id = run_id
        self._document = document
        self._address = run_address(RunPath(entity=entity, project=project, run_id=run_id))

    def __repr__(self) -> str:
        return f"<Run {'/'.join(self.path)} ({self.state})>"

    def load(self, force: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # W&B's signature
        """Return the run's document, read from the server the first time or if forced.

        Raises:
            NotFoundError: The server does not know the run.
            CommError: The server does not answer.
        """
        if self._document is None or force:
            self._document = self._get()
        return cast("dict[str, Any]", self._document)

    def load_full_data(self, force: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # W&B's signature
        """Call :meth:`load`: a document is never partial."""
        return self.load(force)

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
        return str(self.load()["name"])

    @property
    def display_name(self) -> str:
        """The name of the run."""
        return self.name

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
            failure = self.load(force=True)["failure"]
        return failure

    @property
    def config(self) -> dict[str, Any]:
        """The config, nested as it was set."""
        return dict(self.load()["config"])

    @property
    def rawconfig(self) -> dict[str, Any]:
        """The config; there are no internal keys in it."""
        return self.config

    @property
    def summary(self) -> dict[str, Any]:
        """The summary, nested as it was logged."""
        return dict(self.load()["summary"])

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """The summary."""
        return self.summary

    @property
    def tags(self) -> list[str]:
        """The tags of the run."""
        return list(self.load()["tags"])

    @property
    def notes(self) -> str | None:
        """The notes on the run."""
        return self._optional("notes")

    @property
    def group(self) -> str | None:
        """The group of the run."""
        return self._optional("group")

    @property
    def job_type(self) -> str | None:
        """The job type of the run."""
        return self._optional("job_type")

    @property
    def created_at(self) -> str:
        """When the run began, by the clock of its process unless that is ahead of the server's: ISO 8601, UTC."""
        return str(self.load()["created_at"])

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
        # Documents of lists leave out what is long.
        return dict(self.load(force=bool(self.load().get("omitted")))["metadata"])

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

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,  # noqa: FBT001, FBT002  # W&B's signature
        stream: Literal["default", "system"] = "default",
        *,
        late: Literal["include", "exclude"] = "include",
    ) -> Any:
        """Return the history: all rows if there are at most ``samples``, or else rows that include the extremes.

        Args:
            samples: Maximum number of rows; a longer history is sampled to exactly so many.
            keys: Only these metrics and ``x_axis``. Rows without any of them are left out.
            x_axis: A metric to return with ``keys``.
            pandas: Return a DataFrame with flat columns (``a.b``), or a list of dicts if False or without pandas.
            stream: ``"default"`` for metrics, ``"system"`` for system metrics.
            late: ``"exclude"`` leaves out late rows: those below their writer's greatest step, and those at a step
                that another row has.

        Raises:
            UsageError: ``late`` has another value.
        """
        extra = [] if x_axis in META else [x_axis]
        asked = None if keys is None else [*keys, *extra]
        which = {"stream": _STREAMS[stream], "late": _checked_late(late)}
        rows = self._get("history", samples=samples, keys=asked, **which)["rows"]
        columns = None
        if keys is not None:
            columns = [x_axis, *(key for key in keys if key != x_axis)]
            picked = (pick(row, columns) for row in rows)
            rows = [row for row in picked if row.keys() - {x_axis}]
            columns = None if any(isinstance(value, dict) for row in rows for value in row.values()) else columns
        return table(rows, columns) if pandas else rows

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        late: Literal["include", "exclude"] = "include",
        hidden: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Return an iterator over all rows in the order of their steps, without sampling, read page by page.

        Args:
            keys: Only rows that have all of these metrics, and only their values and ``_step``.
            page_size: Number of rows of a page.
            min_step: The first step, inclusive.
            max_step: The last step, exclusive.
            late: As for :meth:`history`.
            hidden: Include rows that were replaced when the run was rewound or resumed at an earlier step; they have
                ``_hidden``.

        Raises:
            UsageError: ``late`` has another value.
        """
        steps = {"min_step": min_step, "max_step": max_step}
        which = {"late": _checked_late(late), "hidden": hidden or None}
        return self._scan(keys, page_size=page_size, **steps, **which)

    def _scan(self, keys: Sequence[str] | None, **asked: Any) -> Iterator[dict[str, Any]]:
        for page in self._connection.pages(f"{self._address}/scan", "cursor", keys=keys, **asked):
            yield from page["rows"] if keys is None else _with_all(page["rows"], keys)

    def beta_scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
        use_cache: bool = True,  # noqa: ARG002, FBT001, FBT002  # W&B's signature; nothing is cached
    ) -> Iterator[dict[str, Any]]:
        """Call :meth:`scan_history`."""
        return self.scan_history(keys, page_size, min_step, max_step)

    def series(
        self, keys: Sequence[str] | None = None, samples: int = 500, stream: Literal["default", "system"] = "default"
    ) -> list[dict[str, Any]]:
        """Return points of each numeric metric and writer: ``{"key", "writer", "label", "steps", "times", "values"}``.

        There are at most ``samples`` points of each, which include the extremes.
        """
        return list(self._get("series", keys=keys, samples=samples, stream=_STREAMS[stream])["series"])

    def console(self, lines: int = 100) -> list[dict[str, Any]]:
        """Return the last lines of output: ``{"time", "stream", "text", "label", "host"}``, oldest first."""
        return list(self._get("console", lines=lines)["lines"])

    def console_page(self, after: str | None = None, lines: int = 1000) -> tuple[list[dict[str, Any]], str]:
        """Return lines of output in the order of their arrival, and the position after them.

        Args:
            after: The position after which lines are returned; ``""`` is the beginning, None returns the last lines.
            lines: How many of the last lines.
        """
        page = self._get("console", lines=lines, after=after)
        return list(page["lines"]), str(page["next"])

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts without repeats, oldest first: ``{"title", "full_title", "text", "level", "time", …}``."""
        return list(self.scan_alerts())

    def scan_alerts(self, page_size: int = 1000, *, repeats: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the alerts of the run, oldest first, read page by page.

        Args:
            page_size: Number of alerts of a page.
            repeats: Include those within the ``wait_duration`` of an earlier one; their ``repeat`` is True.
        """
        for page in self._connection.pages(f"{self._address}/alerts", limit=page_size, repeats=repeats):
            yield from page["alerts"]

    def files(self, names: Sequence[str] | None = None, pattern: str | None = None, per_page: int = 50) -> Files:
        """Return the files of the run; see :class:`Files`. Raises ValueError for both names and a pattern."""
        return Files(self._connection, self._address, names, pattern, per_page)

    def file(self, name: str) -> File:
        """Return the file with a name; raises MissingFileError, which is a CommError, if there is none."""
        return file_named(self._connection, self._address, name)

    def upload_file(self, path: str, root: str = ".") -> File:
        """Upload a file to the run under its path relative to ``root``; see :func:`upload_file`."""
        return upload_file(self._connection, self._address, self._entity, path, root)

    def resolve(self, value: Any) -> Any:
        """Return a value, such as a row, with the values that are kept in files; see :func:`resolved`."""
        return resolved(self._connection, self._address, value)

    def table(self, value: Any, root: str | os.PathLike[str] = ".") -> Any:
        """Return the Table that a value of :attr:`summary` or a row names; files go to ``root``; see `logged_table`."""
        return logged_table(self._connection, self._address, value, root)

    def stop(self) -> None:
        """Request that the run stops: its processes see it in ``run.should_stop`` within a second or two.

        Returns once the request is stored.

        Raises:
            UsageError: No process of the run is running.
        """
        self._connection.command(f"{self._address}/stop")

    def _optional(self, name: str) -> str | None:
        value = self.load()[name]
        return None if value is None else str(value)

    def _get(self, what: str | None = None, **parameters: Any) -> Any:
        return self._connection.get(self._address if what is None else f"{self._address}/{what}", **parameters)


def _checked_late(late: str) -> str:
    if late not in {"include", "exclude"}:
        raise UsageError(f"Invalid late={late!r}: expected 'include' or 'exclude'")
    return late


def _with_all(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        picked = pick(row, ["_step", *keys])
        if all(key in picked for key in keys):
            yield picked
