"""What a run says of itself: names, addresses and flags, which are read only, and their older spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runstream.settings import Settings
    from runstream.tracking.run.backend import RunBackend
    from runstream.tracking.run.recorder import Recorder
    from runstream.tracking.startup.identity import Identity


class RunFacts:
    """The read-only properties of a run."""

    _settings: Settings
    _backend: RunBackend
    _recorder: Recorder
    _identity: Identity

    @property
    def id(self) -> str:
        """Identifier of the run."""
        return self._identity.run_id

    @property
    def entity(self) -> str:
        """Account or team of the run; empty until a server said which."""
        return self._known.entity or ""

    @property
    def project(self) -> str:
        """Project of the run, as it was given; ``uncategorized``, however it is spelt, is the default project."""
        return self._settings.project

    def project_name(self) -> str:
        """Return the project; the older way."""
        self._deprecated("project_name()", "project")
        return self.project

    @property
    def path(self) -> str:
        """``entity/project/id``; without the entity until a server said which."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def url(self) -> str | None:
        """Address of the run's page; None for an offline or disabled run, and while no server is known."""
        self._warn_offline()
        return self._known.url

    def get_url(self) -> str | None:
        """Return :attr:`url`; the older way."""
        self._deprecated("get_url()", "url")
        return self.url

    @property
    def project_url(self) -> str | None:
        """Address of the project's page; None as for :attr:`url`."""
        self._warn_offline()
        return self._known.project_url

    def get_project_url(self) -> str | None:
        """Return :attr:`project_url`; the older way."""
        self._deprecated("get_project_url()", "project_url")
        return self.project_url

    @property
    def sweep_url(self) -> str | None:
        """Address of the sweep's page; None without a sweep, and as for :attr:`url`."""
        self._warn_offline()
        return self._known.sweep_url(self.sweep_id)

    def get_sweep_url(self) -> str | None:
        """Return :attr:`sweep_url`; the older way."""
        self._deprecated("get_sweep_url()", "sweep_url")
        return self.sweep_url

    @property
    def dir(self) -> str:
        """Folder for files of the run; empty for a disabled run."""
        return self._backend.folder

    @property
    def step(self) -> int:
        """The step that the next row without one gets, or that of the open row."""
        return self._recorder.counter

    @property
    def starting_step(self) -> int:
        """The step of the run's first row here; greater than 0 where an earlier run is carried on."""
        return self._backend.starting_step

    @property
    def should_stop(self) -> bool:
        """Whether somebody asked for the run to be stopped; looked up without a system call."""
        return self._recorder.should_stop

    @property
    def mode(self) -> str:
        """``dryrun`` for an offline run, ``run`` for any other; the way of W&B 0.9."""
        self._deprecated("mode", "offline or disabled")
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
        """Whether the run carries on an earlier one."""
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
        """Sweep that the run belongs to, if there is one."""
        return self._settings.sweep_id

    @property
    def start_time(self) -> float:
        """When the run started, in seconds since 1970."""
        return self._backend.started

    @property
    def settings(self) -> Settings:
        """A copy of the settings in force; frozen."""
        return self._settings.model_copy()

    def _deprecated(self, name: str, instead: str) -> None:
        self._backend.terminal.warn(f"run.{name} is deprecated; use {instead} instead")

    def _warn_offline(self) -> None:
        if self.offline:
            self._backend.terminal.warn("URL not available in offline run")

    @property
    def _known(self) -> Identity:
        """The names of the run, with what the server said since the run began."""
        self._identity = self._backend.learn(self._identity)
        return self._identity
