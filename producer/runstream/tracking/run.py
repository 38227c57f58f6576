"""The run as the program that is tracked sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from runstream.exceptions import UsageError
from runstream.tracking.config import Config, config_entry
from runstream.tracking.metric import checked_metric
from runstream.tracking.outcome import from_exception, from_exit_code
from runstream.tracking.summary import Summary
from runstream_schemas.events import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from runstream.settings import Settings
    from runstream.tracking.identity import Identity
    from runstream.tracking.metric import Metric
    from runstream.tracking.recorder import Recorder


class Run:
    """A unit of computation that is tracked; made by :func:`runstream.init`.

    As a context manager it finishes when the block is left, as failed if by an exception.

    Args:
        recorder: Takes what is logged.
        identity: Names of the run.
        settings: The settings in force.
        config: The config to begin with.
        folder: Where the run keeps its files; empty for a disabled run.
        started: Seconds since 1970.
        ended: Called once the run is finished.
    """

    def __init__(
        self,
        recorder: Recorder,
        identity: Identity,
        settings: Settings,
        *,
        config: Mapping[str, Any],
        folder: str,
        started: float,
        ended: Callable[[Run], None],
    ) -> None:
        self._recorder = recorder
        self._identity = identity
        self._settings = settings
        self._config = Config(config, recorder.record_config)
        self._summary = Summary(recorder)
        self._folder = folder
        self._started = started
        self._ended = ended
        self._name = identity.name
        self._notes = settings.run_notes
        self._tags = settings.run_tags
        # The method of this name says what it does; this saves a call, which can be measured.
        self._log = self.__dict__["log"] = recorder.logger()

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Log a row of values. Returns in microseconds, whatever the network does.

        Args:
            data: Values by key: numbers, strings, lists and nested dicts of such.
            step: The row to log to. Several calls with one step make one row; a step lower than the latest is a row
                of its own. None: the next row.
            commit: Whether the row is complete. None: it is, unless a step is given.
            sync: Means nothing, as in W&B.

        Raises:
            DataError: The data cannot be recorded, and nothing of it was: it is no dict, a key is no string or too
                long, or a value of a strange type.
            UsageError: The run is finished.
            DiskFullError: The disk is full, and the setting ``disk`` is ``raise``.
        """
        self._log(data, step, commit, sync)

    def define_metric(  # noqa: PLR0917 - the signature of W&B
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,  # noqa: FBT001 - the signature of W&B
        hidden: bool | None = None,  # noqa: FBT001
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,  # noqa: FBT001
    ) -> Metric:
        """Say how a metric is summed up and drawn; it may have been logged before.

        Args:
            name: The metric, or the beginning of metrics with ``*`` behind it.
            step_metric: The metric that is its x axis.
            step_sync: Whether the last value of the step metric is inserted into rows that lack it; by default it is.
            hidden: Whether it is left out of automatic charts.
            summary: Aggregates with commas between them: min, max, mean, last, first, best, copy, none.
            goal: ``minimize`` or ``maximize``, for ``best``.
            overwrite: Replace earlier definitions of the name instead of adding to them.

        Raises:
            UsageError: An argument makes no sense, or the run is finished.
        """
        metric = checked_metric(
            name,
            step_metric=step_metric,
            step_sync=step_sync,
            hidden=hidden,
            summary=summary,
            goal=goal,
            overwrite=overwrite,
        )
        self._recorder.record_config([config_entry(metric.name, metric.as_record(), Scope.METRIC)])
        if metric.step_metric is not None and metric.step_sync is not False:
            self._recorder.synchronise(metric.name, metric.step_metric)
        return metric

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001
        """End the run, and wait within the limit (setting ``finish_timeout_s``) until everything is delivered.

        What is not delivered by then is delivered in the background. A second call does nothing.

        Args:
            exit_code: 0 for finished, anything else for failed; None is 0.
            quiet: Means nothing; the setting of this name does.
        """
        del quiet
        self._end(lambda: self._recorder.finish(from_exit_code(exit_code or 0)))

    def join(self, exit_code: int | None = None) -> None:
        """Do what :meth:`finish` does; the older name."""
        self.finish(exit_code)

    def _end(self, finish: Callable[[], None]) -> None:
        try:
            finish()
        finally:
            self._ended(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None:
            self.finish(0)
            return False
        outcome = from_exception(error)
        if outcome.exit_code == 0:
            outcome = from_exit_code(1)  # Leaving the block early is not the end that was planned, as in W&B.
        self._end(lambda: self._recorder.finish(outcome))
        return False

    @property
    def id(self) -> str:
        """Identifier of the run."""
        return self._identity.run_id

    @property
    def name(self) -> str:
        """Display name; may be changed, need not be unique."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._set_attribute("name", str(name))
        self._name = str(name)

    @property
    def notes(self) -> str | None:
        """Notes on the run, if there are any; may be changed."""
        return self._notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._set_attribute("notes", notes)
        self._notes = notes

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the run; may be changed."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        if isinstance(tags, str):
            raise UsageError(f"tags are a list of strings, not the string {tags!r}")
        found = tuple(tags)
        self._set_attribute("tags", list(found))
        self._tags = found

    @property
    def config(self) -> Config:
        """Hyperparameters; what is changed is recorded at once."""
        return self._config

    @property
    def summary(self) -> Summary:
        """Last values of what was logged, and what was set by hand."""
        return self._summary

    @property
    def entity(self) -> str:
        """Account or team of the run; empty until a server said which."""
        return self._identity.entity or ""

    @property
    def project(self) -> str:
        """Project of the run."""
        return self._identity.project

    def project_name(self) -> str:
        """Return the project; the older way."""
        return self.project

    @property
    def path(self) -> str:
        """``entity/project/id``; without the entity until a server said which."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def url(self) -> str | None:
        """Address of the run's page; None for an offline or disabled run, and while no server is known."""
        return self._identity.url

    def get_url(self) -> str | None:
        """Return :attr:`url`; the older way."""
        return self.url

    @property
    def project_url(self) -> str | None:
        """Address of the project's page; None as for :attr:`url`."""
        return self._identity.project_url

    def get_project_url(self) -> str | None:
        """Return :attr:`project_url`; the older way."""
        return self.project_url

    @property
    def dir(self) -> str:
        """Folder for files of the run; empty for a disabled run."""
        return self._folder

    @property
    def step(self) -> int:
        """The step that the next row without one gets, or that of the open row."""
        return self._recorder.counter

    @property
    def mode(self) -> str:
        """``online``, ``offline``, ``disabled`` or ``shared``."""
        return self._settings.mode

    @property
    def offline(self) -> bool:
        """Whether the run is recorded without being delivered."""
        return self._settings.mode == "offline"

    @property
    def disabled(self) -> bool:
        """Whether nothing is recorded."""
        return self._settings.mode == "disabled"

    @property
    def resumed(self) -> bool:
        """Whether the run carries on an earlier one; no run does."""
        return False

    @property
    def group(self) -> str:
        """Group of the run, or an empty string."""
        return self._settings.run_group or ""

    @property
    def job_type(self) -> str:
        """Job type of the run, or an empty string."""
        return self._settings.run_job_type or ""

    @property
    def sweep_id(self) -> str | None:
        """Sweep that the run belongs to, if there is one."""
        return self._settings.sweep_id

    @property
    def start_time(self) -> float:
        """When the run started, in seconds since 1970."""
        return self._started

    @property
    def settings(self) -> Settings:
        """The settings in force; frozen."""
        return self._settings

    def _set_attribute(self, name: str, value: Any) -> None:
        self._recorder.record_config([config_entry(name, value, Scope.ATTRIBUTE)])

    def __repr__(self) -> str:
        return f"<runstream.Run {self.path}>"
