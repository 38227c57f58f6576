"""The runs that are active in this process, and the one that the module stands for: global, because W&B's API is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runstream.exceptions import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from runstream.tracking.run.run import Run


class Session:
    """Holds the active runs of a process; a forked child keeps its parent's, until it begins one of its own."""

    def __init__(self) -> None:
        #: The run that the functions of the module mean.
        self.run: Run | None = None
        self._runs: list[Run] = []
        self._pid = 0

    def resolve_active(
        self,
        reinit: str | bool,  # noqa: FBT001 - W&B's values
        resume: str | None,
        warn: Callable[[str], None],
    ) -> Run | None:
        """Do with the active runs what ``init(reinit=...)`` asks for; return the one that it returns again, if any.

        Raises:
            Error: A certain run must be resumed, and another is active.
        """
        runs = self._runs if self._pid == os.getpid() else []
        if reinit in {True, "finish_previous"}:
            for run in reversed(runs):
                run.finish()
            return None
        # One that records nothing is not given to who wants to record.
        runs = [run for run in runs if not run.disabled]
        if reinit == "create_new" or not runs:
            return None
        if resume == "must":
            raise Error(
                f'resume="must" asks for a run of its own, and {runs[-1].id} is active; '
                'call runstream.finish() first, or init(reinit="finish_previous" or "create_new")'
            )
        if reinit == "default":
            warn(
                f"a run is active already: init() returns {runs[-1].id} again, whatever its arguments; "
                'call runstream.finish() first, or init(reinit="finish_previous" or "create_new")'
            )
        return runs[-1]

    def begin(self, run: Run, *, aside: bool = False) -> None:
        """Note a run that has begun.

        Args:
            run: The run.
            aside: It does not become the one that the functions of the module mean.
        """
        if self._pid != os.getpid():
            self._pid, self._runs = os.getpid(), []
            self.run = None
        self._runs.append(run)
        if not aside:
            self.run = run

    def end(self, run: Run) -> None:
        """Let go of a run."""
        self._runs = [one for one in self._runs if one is not run]
        if self.run is run:
            self.run = None

    def find(self, run_id: str, project: str) -> Run | None:
        """Return an active run by its names, or None."""
        return next((run for run in self._runs if (run.id, run.project) == (run_id, project)), None)

    def active(self, what: str) -> Run:
        """Return the run that the functions of the module mean.

        Raises:
            Error: There is none.
        """
        if self.run is None:
            raise Error(f"call runstream.init() before runstream.{what}")
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

    def define_metric(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Define a metric of the active run; see :meth:`Run.define_metric`."""
        return self.active("define_metric()").define_metric(name, *arguments, **keywords)

    def alert(self, title: str, text: str, level: Any = None, wait_duration: float | timedelta | None = None) -> None:
        """Raise an alert of the active run; see :meth:`Run.alert`."""
        self.active("alert()").alert(title, text, level, wait_duration)

    def watch(self, models: Any, *arguments: Any, **keywords: Any) -> Any:
        """Log histograms of a model to the active run; see :meth:`Run.watch`.

        Raises:
            ValueError: There is no active run, or a model is none.
        """
        if self.run is None:
            raise ValueError("call runstream.init() before runstream.watch()")
        return self.run.watch(models, *arguments, **keywords)

    def unwatch(self, models: Any = None) -> None:
        """Take the hooks of :meth:`watch` out again; see :meth:`Run.unwatch`."""
        self.active("unwatch()").unwatch(models)

    def mark_preempting(self) -> None:
        """Say that the active run is about to be preempted; see :meth:`Run.mark_preempting`."""
        self.active("mark_preempting()").mark_preempting()

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001
        """Finish the active run, if there is one; see :meth:`Run.finish`."""
        if self.run is not None:
            self.run.finish(exit_code, quiet)

    def teardown(self, exit_code: int | None = None) -> None:
        """Finish all active runs of this process."""
        for run in reversed(self._runs if self._pid == os.getpid() else []):
            run.finish(exit_code)

    def run_function(self, name: str) -> Callable[..., Any]:
        """Return a function of the module that is a method of the active run."""

        def function(*arguments: Any, **keywords: Any) -> Any:
            return getattr(self.active(f"{name}()"), name)(*arguments, **keywords)

        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"Call the method of this name of the active run; see :meth:`Run.{name}`."
        return function


class UninitializedAttribute:
    """What ``runstream.config`` and ``runstream.summary`` are while no run is active: there is nothing to read or set.

    Args:
        name: Which of the two.
    """

    _name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)

    def _refuse(self) -> Error:
        return Error(f"call runstream.init() before runstream.{self._name} is read or set")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Whoever looks at an object asks for such names, and must go on.
        raise self._refuse()

    def __setattr__(self, name: str, value: Any) -> None:
        raise self._refuse()

    def __getitem__(self, key: str) -> Any:
        raise self._refuse()

    def __setitem__(self, key: str, value: Any) -> None:
        raise self._refuse()

    def __repr__(self) -> str:
        return f"<runstream.{self._name} before runstream.init()>"


SESSION = Session()
