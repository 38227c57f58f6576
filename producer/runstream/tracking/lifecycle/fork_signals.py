"""Blocking of SIGTERM while a process forks."""

from __future__ import annotations

import os
import signal
import threading

_HANDLED = frozenset({signal.SIGTERM})


class ForkSignals(threading.local):
    """Blocks SIGTERM during each fork, so that a child that is terminated at once ends.

    While a signal has a handler in Python, CPython only notes it, and a new child discards what was noted before it is
    ready (``PyOS_AfterFork_Child``). A signal that is blocked is kept by the kernel until the child can handle it.
    """

    def __init__(self) -> None:
        #: The signal masks before the forks that this thread is in the middle of.
        self._masks: list[set[signal.Signals | int]] = []

    def install(self) -> None:
        """Block the signal during all forks of this process from now on."""
        os.register_at_fork(before=self._block, after_in_parent=self._restore, after_in_child=self._restore)

    def _block(self) -> None:
        # Two calls, because a handler that raises an exception in the second would lose the mask.
        self._masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)

    def _restore(self) -> None:
        if self._masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.pop())
