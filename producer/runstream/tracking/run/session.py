"""The active runs of this process, and the one that the module's functions use: global, because W&B's API is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

from runstream.exceptions import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.settings import Settings
    from runstream.tracking.run.identity import RunIdentity
    from runstream.tracking.run.run import Run


class Session:
    """The active runs of a process. A forked child has those of its parent until it begins a run itself."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self._runs: list[Run] = []
        self._pid = 0

    def resolve_active(
        self,
        reinit: str | bool,  # noqa: FBT001 - W&B's values
        resume: str | None,
        warn: Callable[[str], None],
    ) -> Run | None:
        """Finish or keep the active runs as ``init(reinit=...)`` requests; return the one that it returns, if any.

        Raises Error if a run must be resumed while another is active.
        """
        runs = self._runs if self._pid == os.getpid() else []
        if reinit in {True, "finish_previous"}:
            for run in reversed(runs):
                run.finish()
            return None
        # A disabled run is not returned to a caller that wants to record.
        runs = [run for run in runs if not run.disabled]
        if reinit == "create_new" or not runs:
            return None
        if resume == "must":
            raise Error(
                f'Cannot resume with resume="must" while run {runs[-1].id} is active: '
                'call runstream.finish() first, or init(reinit="finish_previous" or "create_new")'
            )
        if reinit == "default":
            warn(
                f"Run {runs[-1].id} is active, and init() returns it; its arguments are ignored. To begin another run, "
                'call runstream.finish() first, or init(reinit="finish_previous" or "create_new")'
            )
        return runs[-1]

    def begin(self, run: Run, *, aside: bool = False) -> None:
        """Add a run that has begun; if ``aside``, the functions of the module go on using another one."""
        if self._pid != os.getpid():
            self._pid, self._runs = os.getpid(), []
            self.run = None
        self._runs.append(run)
        if not aside:
            self.run = run

    def end(self, run: Run) -> None:
        """Remove a run that has ended."""
        self._runs = [one for one in self._runs if one is not run]
        if self.run is run:
            self.run = None

    def find(self, run_id: str, project: str) -> Run | None:
        """Return the active run with these names, or None."""
        return next((run for run in self._runs if (run.id, run.project) == (run_id, project)), None)

    def active(self, what: str) -> Run:
        """Return the run that the functions of the module use; raises Error, which names the function, without one."""
        if self.run is None:
            raise Error(f"No run is active: call runstream.init() before runstream.{what}")
        return self.run

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Log a row to the active run; see :meth:`Run.log`."""
        self.active("log()").log(data, step, commit, sync)

    def watch(self, models: Any, *arguments: Any, **keywords: Any) -> Any:
        """Log histograms of a model to the active run; see :meth:`Run.watch`. As in W&B, ValueError without a run."""
        if self.run is None:
            raise ValueError("No run is active: call runstream.init() before runstream.watch()")
        return self.run.watch(models, *arguments, **keywords)

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001
        """Finish the active run, if there is one; see :meth:`Run.finish`."""
        if self.run is not None:
            self.run.finish(exit_code, quiet)

    def teardown(self, exit_code: int | None = None) -> None:
        """Finish all active runs of this process."""
        for run in reversed(self._runs if self._pid == os.getpid() else []):
            run.finish(exit_code)

    def restore(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Download a file of the active run, or of the run at ``run_path``; see :meth:`Run.restore`."""
        if self.run is not None:
            return self.run.restore(name, *arguments, **keywords)
        from runstream.tracking.run.restoring import restore  # noqa: PLC0415 - imports the HTTP client

        return restore(name, *arguments, **keywords)

    def run_function(self, name: str) -> Callable[..., Any]:
        """Return a function of the module that calls a method of the active run."""

        def function(*arguments: Any, **keywords: Any) -> Any:
            return getattr(self.active(f"{name}()"), name)(*arguments, **keywords)

        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"Call the method of this name of the active run; see :meth:`Run.{name}`."
        return function


def revive_run(settings: Settings, config: dict[str, Any], identity: RunIdentity) -> Run:
    """Return the active run of these names, or else one that has not begun: how a run is unpickled."""
    from runstream.tracking.run.run import unstarted_run  # noqa: PLC0415 - imported by init()

    active = SESSION.find(identity.run_id, settings.project)
    return unstarted_run(settings, config, identity) if active is None else active


class UninitializedAttribute:
    """``runstream.config`` and ``runstream.summary`` while no run is active: they cannot be read or set."""

    _name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _refuse(self, *_: Any) -> NoReturn:
        raise Error(f"No run is active: call runstream.init() before runstream.{self._name} is read or set")

    __setattr__ = __getitem__ = __setitem__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Inspection of an object reads such names and must not fail.
        self._refuse()

    def __repr__(self) -> str:
        return f"<runstream.{self._name} before runstream.init()>"


SESSION = Session()
