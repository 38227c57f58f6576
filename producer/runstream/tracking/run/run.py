"""The run as the program that is tracked sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from runstream import tensorboard
from runstream.naming import validate_tags
from runstream.tracking.config.config import Config, StaticConfig, config_entry, validate_pinned_keys
from runstream.tracking.lifecycle.outcome import from_block, from_exit_code
from runstream.tracking.rows.metric import Metric, build_metric
from runstream.tracking.run import display
from runstream.tracking.run.alert import build_alert
from runstream.tracking.run.recorder import unstarted_backend
from runstream.tracking.run.session import SESSION
from runstream.tracking.run.unsupported_files import UnsupportedFiles
from runstream.tracking.summary.summary import Summary
from runstream.tracking.values.encoder import plain
from runstream.watching import ModelWatching
from runstream_schemas.events import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from types import TracebackType

    import torch

    from runstream.settings import Settings
    from runstream.tracking.lifecycle.delivery_status import RunStatus
    from runstream.tracking.run.alert import AlertLevel
    from runstream.tracking.run.backend import RunBackend
    from runstream.tracking.startup.identity import Identity


class Run(UnsupportedFiles):
    """A unit of computation that is tracked. :func:`runstream.init` makes and begins one.

    As a context manager it finishes when the block is left, as failed if by an exception.

    Args:
        settings: The settings in force.
        config: The config to begin with.
        sweep_config: Config that a sweep chose; goes before both others, and is locked.
        launch_config: Config that a launcher chose; goes before ``config``.
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

    def _begin(self, backend: RunBackend) -> None:
        """Hand everything on to what stands behind the run from now on; only ``init()`` calls this."""
        self._bind(backend)

    def _bind(self, backend: RunBackend) -> None:
        self._backend = backend
        self._recorder = backend.recorder
        self._identity = backend.identity
        self._config = self._config.with_recorder(backend.recorder.record_config, backend.terminal.warn)
        self._summary = Summary(backend.recorder)
        self._watching = ModelWatching(
            log=lambda row: self.log(row, commit=False),
            set_summary=self._summary.__setitem__,
            warn=backend.terminal.warn,
        )
        self._log = backend.recorder.logger()

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
            summary: Aggregates with commas, and no spaces, between them: min, max, mean, last, first, best, copy, none.
            goal: ``minimize`` or ``maximize``, for ``best``.
            overwrite: Replace earlier definitions of the name instead of adding to them.

        Raises:
            Error: An argument makes no sense.
            UsageError: The run is finished.
        """
        if self.disabled:  # which refuses nothing
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
            self._deprecated("define_metric(summary='copy')", "no aggregate, which shows the last value too")
        self._recorder.record_config([config_entry(metric.name, metric.as_record(), Scope.METRIC)])
        self._recorder.define(metric)
        return metric

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001
        """End the run, and wait within the limit (setting ``finish_timeout_s``) until everything is delivered.

        What is not delivered by then is delivered in the background. A second call does nothing.

        Args:
            exit_code: 0 for finished, anything else for failed; None is 0.
            quiet: Means nothing; the setting of this name does.
        """
        if quiet is not None:
            self._deprecated("finish(quiet=...)", "the setting quiet")
        self._end(lambda: self._recorder.finish(from_exit_code(exit_code or 0)))

    def join(self, exit_code: int | None = None) -> None:
        """Do what :meth:`finish` does; the older name."""
        self._deprecated("join()", "finish()")
        self.finish(exit_code)

    def alert(
        self,
        title: str,
        text: str,
        level: str | AlertLevel | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:
        """Raise an alert: it is stored with the run, and shown and sent on by the server.

        Args:
            title: Shorter than 64 characters; a longer one is shortened with a warning, and kept whole beside it.
            text: What happened.
            level: ``INFO`` (the default), ``WARN`` or ``ERROR``.
            wait_duration: Seconds in which a further alert of this title is dropped; None or 0: a minute.

        Raises:
            TypeError: The wait is neither a number nor a timedelta.
            ValueError: There is no such level.
            UsageError: The run is finished.
        """
        if not self.disabled:  # which refuses nothing
            self._recorder.record_alert(build_alert(title, text, level, wait_duration, self._backend.terminal))

    def mark_preempting(self) -> None:
        """Say that the run is about to be preempted; the server is told at once, whatever becomes of this process."""
        self._recorder.mark_preempting()

    def status(self) -> RunStatus:
        """Return how much of what was recorded has been delivered.

        Raises:
            UsageError: The run is finished.
        """
        return self._recorder.status()

    def detach(self) -> None:
        """Let go of the run without ending it; see docs/client.md."""
        self._end(self._recorder.detach)

    def watch(  # noqa: PLR0917 - the signature of W&B
        self,
        models: torch.nn.Module | Sequence[torch.nn.Module],
        criterion: Any = None,  # noqa: ARG002
        log: Literal["gradients", "parameters", "all"] | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Log histograms of a PyTorch model's gradients and parameters, and its graph.

        Args:
            models: One model or several.
            criterion: The loss function; means nothing.
            log: What to log; None: nothing but the graph, if asked for.
            log_freq: Log at every so many batches.
            idx: Number of the (first) model among several calls.
            log_graph: Whether the graph of the model goes to the summary.

        Raises:
            ValueError: A model is no ``torch.nn.Module``.
        """
        if not self.disabled:
            self._watching.watch(models, log=log, log_freq=log_freq, idx=idx, log_graph=log_graph)

    def unwatch(self, models: torch.nn.Module | Sequence[torch.nn.Module] | None = None) -> None:
        """Take the hooks of :meth:`watch` out of models again; None: of all.

        Raises:
            ValueError: A model is no ``torch.nn.Module``.
        """
        if not self.disabled:
            self._watching.unwatch(models)

    def pin_config_keys(self, keys: Sequence[str]) -> None:
        """Show these config keys at the top of the run's page; replaces what was pinned before.

        Raises:
            UsageError: That is no list of strings, or the run is finished.
        """
        self._set_attribute("pinned_config_keys", validate_pinned_keys(keys))

    def display(self, height: int = 420, hidden: bool = False) -> bool:  # noqa: FBT001, FBT002 - the signature of W&B
        """Show the run's page in a notebook; return whether it was shown.

        Args:
            height: Of the frame, in pixels.
            hidden: Show a button that opens the frame.
        """
        return display.show(self, height, hidden=hidden)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:  # noqa: FBT001, FBT002
        """Return HTML with the run's page in a frame; arguments as in :meth:`display`."""
        return display.frame(self, height, hidden=hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def _label(self, *labels: Any, **named: Any) -> None:
        """Do nothing: by this libraries tell W&B which of them is in use."""

    def _end(self, finish: Callable[[], None]) -> None:
        self._watching.unwatch()
        tensorboard.end(self.dir)
        try:
            finish()
        finally:
            self._backend.ended(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool:
        if exc_val is None:
            self.finish(0)
            return False
        outcome = from_block(exc_val)
        self._end(lambda: self._recorder.finish(outcome))
        return False

    @property
    def name(self) -> str | None:
        """Display name; may be changed, need not be unique. Made up where none was given, numbered by the server."""
        return self._name or self._known.name or None

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
        """Tags of the run; may be changed. Invalid ones are a warning, and change nothing."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        try:
            found = validate_tags(tags)
        except ValueError as error:
            self._backend.terminal.warn(f"Invalid tag: {error}; the tags stay as they were")
            return
        self._set_attribute("tags", list(found))
        self._tags = found

    @property
    def config(self) -> Config:
        """Hyperparameters; what is changed is recorded at once."""
        return self._config

    @property
    def config_static(self) -> StaticConfig:
        """The config, read only."""
        return StaticConfig(self._config)

    @property
    def summary(self) -> Summary:
        """What the metrics come to by their definitions, by default their last values; and what was set by hand."""
        return self._summary

    def _set_attribute(self, name: str, value: Any) -> None:
        self._recorder.record_config([config_entry(name, plain(value), Scope.ATTRIBUTE)])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the names of the run: in the process that holds it they give this very run again.

        Elsewhere they give one that tells names and config and records nothing: another process writes to the run
        by ``init(id=..., mode="shared")``.
        """
        settings = self._settings.model_copy(update={"api_key": None})
        return _revived, (settings, self._config.as_dict(), self._identity)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name) and not self.disabled:
            # As W&B does, in class and all: a misspelt attribute is not kept in silence.
            raise Exception(  # noqa: TRY002
                f"a run has no attribute {name!r} to set; use run.config[{name!r}] or run.summary[{name!r}]"
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<runstream.Run {self.path}>"


def _revived(settings: Settings, config: dict[str, Any], identity: Identity) -> Run:
    """Return the run of these names that is active in this process, else one that has not begun here."""
    active = SESSION.find(identity.run_id, settings.project)
    if active is not None:
        return active
    run = Run(settings, config)
    run._identity = identity  # noqa: SLF001 - this module's own class
    return run
