"""The run that is active in this process: the one thing that is global, because the API of W&B is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.tracking.run import Run


class Session:
    """Holds the active run of a process; a forked child keeps its parent's, until it begins one of its own."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self._pid = 0

    def begin(self, run: Run) -> None:
        """Make a run the active one."""
        self.run = run
        self._pid = os.getpid()

    def end(self, run: Run) -> None:
        """Let go of a run, if it is the active one."""
        if self.run is run:
            self.run = None

    @property
    def own(self) -> Run | None:
        """The active run, if this very process began it."""
        return self.run if self._pid == os.getpid() else None

    def active(self, what: str) -> Run:
        """Return the active run.

        Raises:
            UsageError: There is none.
        """
        if self.run is None:
            raise UsageError(f"call runstream.init() before runstream.{what}")
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

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: FBT001
        """Finish the active run, if there is one; see :meth:`Run.finish`."""
        if self.run is not None:
            self.run.finish(exit_code, quiet)


SESSION = Session()
