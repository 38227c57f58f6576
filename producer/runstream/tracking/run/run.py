"""The run, as the training script sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from runstream.run_names import validate_tags
from runstream.tracking.artifacts import artifact_methods, code_method
from runstream.tracking.config.config import Config, StaticConfig, validate_pinned_keys
from runstream.tracking.lifecycle.outcome import DETACHED, from_block, from_exit_code, while_handling
from runstream.tracking.rows.metric import Metric, build_metric
from runstream.tracking.run import file_methods, methods
from runstream.tracking.run.alert import alert as raise_alert
from runstream.tracking.run.backend import unstarted_backend
from runstream.tracking.run.methods import warn_deprecated
from runstream.tracking.summary.summary import Summary
from runstream.tracking.values.entries import config_entry
from runstream.tracking.values.foreign import text_of
from runstream.watching import ModelWatching
from runstream_schemas.events import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from runstream.settings import Settings
    from runstream.tracking.lifecycle.delivery_status import RunStatus
    from runstream.tracking.lifecycle.outcome import Outcome
    from runstream.tracking.run.backend import RunBackend
    from runstream.tracking.run.identity import RunIdentity


class Run:
    """A tracked run of a program. :func:`runstream.init` creates and begins one.

    As a context manager it finishes at the end of the block, as failed after an exception.

    Args:
        settings: The settings in force.
        config: The config.
        sweep_config: The config of a sweep; overrides the others, and its values cannot be changed.
        launch_config: The config of a launcher; overrides ``config``.
    """

    def __init__(
        self,
        settings: Settings,
        config: dict[str, Any] | None = None,
        sweep_config: dict[str, Any] | None = None,
        launch_config: dict[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._name = settings.run_name
        self._notes = settings.run_notes
        self._tags = settings.run_tags
        self._config = Config(
            {**(config or {}), **(launch_config or {}), **(sweep_config or {})},
            locked=sweep_config or (),
            allow_val_change=settings.allow_val_change,
        )
        self._bind(unstarted_backend(settings))

    def _bind(self, backend: RunBackend) -> None:
        """Delegate to these parts from now on; called by ``init()``."""
        self._backend = backend
        self._recorder = backend.recorder
        self._known_names = backend.identity
        warn = backend.terminal.warn
        self._config = self._config.with_recorder(backend.recorder.record_config, warn, backend.encoder)
        self._summary = Summary(backend.recorder, encoder=backend.encoder)
        self._watching = ModelWatching(
            log=lambda row: self.log(row, commit=False), set_summary=self._summary.__setitem__, warn=warn
        )
        self._log = backend.recorder.logger()

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Log a row of values. Returns in microseconds and never waits for the network.

        Args:
            data: Values by key: numbers, strings, lists and nested dicts of these.
            step: The step of the row. Calls with the same step make one row; a step below the latest makes a separate
                row. None for the open or the next row.
            commit: Whether the row is complete. None for True, unless a step is given.
            sync: Ignored; accepted for W&B compatibility.

        Raises:
            DataError: The data is not a dict, or has a key or a value of a type that cannot be recorded; nothing was.
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
        """Define how a metric is summarized and drawn; it may have been logged already.

        Args:
            name: The metric, or a prefix of metrics followed by ``*``.
            step_metric: The metric on its x axis.
            step_sync: Whether the last value of the step metric is inserted into rows without one. Default True.
            hidden: Whether to leave it out of automatic charts.
            summary: Aggregates, separated by commas without spaces: min, max, mean, last, first, best, copy, none.
            goal: ``minimize`` or ``maximize``, for ``best``.
            overwrite: Replace earlier definitions of the metric instead of adding to them.

        Raises:
            Error: An argument is invalid.
            UsageError: The run is finished.
        """
        if self.disabled:
            return Metric(name=str(name))
        metric = build_metric(
            name,
            step_metric=step_metric,
            step_sync=step_sync,
            hidden=hidden,
            summary=summary,
            goal=goal,
            overwrite=overwrite,
        )
        if "copy" in (metric.summary or ()):
            warn_deprecated(self, "define_metric(summary='copy')", "define_metric() without summary")
        self._recorder.record_config([config_entry(metric.name, metric.as_record(), Scope.METRIC)])
        self._recorder.define(metric)
        return metric

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001
        """End the run, and wait until everything is delivered, at most for the setting ``finish_timeout_s``.

        The rest is delivered in the background. A second call does nothing.

        Args:
            exit_code: 0 or None for finished, any other for failed.
            quiet: Ignored; use the setting of this name.
        """
        if quiet is not None:
            warn_deprecated(self, "finish(quiet=...)", "the setting quiet")
        self._end(while_handling(from_exit_code(exit_code or 0)))

    def mark_preempting(self) -> None:
        """Record that the process is about to be preempted, and have it delivered at once."""
        self._recorder.mark_preempting()

    def status(self) -> RunStatus:
        """Return how many records there are, and how many are not delivered yet; raises UsageError after the end."""
        return self._recorder.status()

    def detach(self) -> None:
        """Leave the run without ending it; see docs/client.md."""
        self._end(DETACHED)

    def pin_config_keys(self, keys: Sequence[str]) -> None:
        """Show these config keys, and no others, at the top of the run's page; raises UsageError as for :meth:`log`."""
        self._set_attribute("pinned_config_keys", validate_pinned_keys(keys))

    def _label(self, *labels: Any, **named: Any) -> None:
        """Do nothing; libraries call it to inform W&B that they are in use."""

    def _end(self, outcome: Outcome) -> None:
        self._watching.unwatch()
        self._backend.before_end()
        try:
            self._recorder.finish(outcome)
        finally:
            self._backend.after_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> Literal[False]:
        if exc_val is None:
            self.finish(0)
            return False
        self._end(from_block(exc_val))
        return False

    @property
    def _names(self) -> RunIdentity:
        """The names, with what has become known by now."""
        self._known_names = self._backend.refresh(self._known_names)
        return self._known_names

    @property
    def name(self) -> str | None:
        """Display name, which need not be unique. A generated one has a number from the server. Can be set."""
        return self._name or self._names.name or None

    @name.setter
    def name(self, name: str) -> None:
        self._set_attribute("name", text := text_of(name))
        self._name = text

    @property
    def notes(self) -> str | None:
        """Notes on the run, or None. Can be set."""
        return self._notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._set_attribute("notes", text := None if notes is None else text_of(notes))
        self._notes = text

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the run. Can be set; invalid tags print a warning and change nothing."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        try:
            found = validate_tags(tags)
        except ValueError as error:
            self._backend.terminal.warn(f"{error}; the tags are unchanged")
            return
        self._set_attribute("tags", list(found))
        self._tags = found

    @property
    def config(self) -> Config:
        """Hyperparameters; changes are recorded at once."""
        return self._config

    @property
    def config_static(self) -> StaticConfig:
        """The config, read-only."""
        return StaticConfig(self._config)

    @property
    def summary(self) -> Summary:
        """The metrics, aggregated by their definitions (by default, their last values), and assigned values."""
        return self._summary

    def _set_attribute(self, name: str, value: Any) -> None:
        self._recorder.record_config([config_entry(name, self._backend.encoder.value(value), Scope.ATTRIBUTE)])

    @property
    def id(self) -> str:
        """Identifier of the run."""
        return self._names.run_id

    @property
    def entity(self) -> str:
        """Account or team of the run; empty until the server has resolved it."""
        return self._names.entity or ""

    @property
    def project(self) -> str:
        """Project of the run, as given. ``uncategorized``, in any spelling, is the default project."""
        return self._settings.project

    @property
    def path(self) -> str:
        """``entity/project/id``, without the entity until the server has resolved it."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def url(self) -> str | None:
        """URL of the run's page; None for an offline or disabled run, and until a server is known."""
        return methods.names_online(self).url

    @property
    def project_url(self) -> str | None:
        """URL of the project's page; None as for :attr:`url`."""
        return methods.names_online(self).project_url

    @property
    def sweep_url(self) -> str | None:
        """URL of the sweep's page; None without a sweep, and as for :attr:`url`."""
        return methods.names_online(self).sweep_url(self.sweep_id)

    @property
    def dir(self) -> str:
        """Folder for files of the run."""
        return self._backend.folder

    @property
    def step(self) -> int:
        """Step of the open row, or else of the next row that is logged without one."""
        return self._recorder.counter

    @property
    def starting_step(self) -> int:
        """Step of the first row of this process; above 0 in a resumed run."""
        return self._backend.starting_step

    @property
    def should_stop(self) -> bool:
        """Whether a stop of the run is requested; read without a system call."""
        return self._recorder.should_stop

    @property
    def mode(self) -> str:
        """``dryrun`` for an offline run, else ``run``. Deprecated."""
        warn_deprecated(self, "mode", "offline or disabled")
        return "dryrun" if self.offline else "run"

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
        """Whether the run resumes an earlier one."""
        return self._backend.resumed

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
        """Sweep that the run belongs to, or None."""
        return self._settings.sweep_id

    @property
    def start_time(self) -> float:
        """Start of the run in seconds since 1970."""
        return self._backend.started

    @property
    def settings(self) -> Settings:
        """A copy of the settings in force, and what follows from the run; frozen."""
        return methods.copied_settings(self)

    sync_dir = property(methods.run_folder)
    _attach_id = id  # noqa: A003 - libraries pass it to wandb.attach()
    alert = raise_alert
    display = methods.display
    to_html = _repr_html_ = methods.to_html
    watch = methods.watch
    unwatch = methods.unwatch
    get_project_url = methods.get_project_url
    get_sweep_url = methods.get_sweep_url
    get_url = methods.get_url
    join = methods.join
    project_name = methods.project_name

    finish_artifact = artifact_methods.finish_artifact
    link_artifact = artifact_methods.link_artifact
    link_model = artifact_methods.link_model
    log_artifact = artifact_methods.log_artifact
    log_code = code_method.log_code
    log_model = artifact_methods.log_model
    plot_table = staticmethod(methods.plot_table)
    restore = file_methods.restore
    save = file_methods.save
    upsert_artifact = artifact_methods.upsert_artifact
    use_artifact = artifact_methods.use_artifact
    use_model = artifact_methods.use_model

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the names: in this process they are unpickled as this run, elsewhere as one that records nothing."""
        settings = self._settings.model_copy(update={"api_key": None})
        return self._backend.revive or unstarted_run, (settings, self._config.as_dict(), self._names)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name) and not self.disabled:
            # The class of the exception is W&B's.
            raise Exception(  # noqa: TRY002
                f"Invalid attribute {name!r} of a run: set run.config[{name!r}] or run.summary[{name!r}]"
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<runstream.Run {self.path}>"


def unstarted_run(settings: Settings, config: dict[str, Any], identity: RunIdentity) -> Run:
    """Return a run with these names that has not begun: it records nothing."""
    run = Run(settings, config)
    run._bind(unstarted_backend(settings, identity))  # noqa: SLF001 - of this class
    return run
