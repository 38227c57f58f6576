"""Noticing how the process ends: uncaught exceptions, ``sys.exit``, SIGTERM, the end of the script."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from multiprocessing import util as multiprocessing_util
from typing import TYPE_CHECKING, Any

from runstream.tracking.outcome import Outcome, from_exception, from_exit_code, from_signal, system_exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType


class ExitHooks:
    """Hooks of the interpreter, from :meth:`install` to :meth:`remove`; each calls what it found in its place.

    Args:
        at_exit: Called with the outcome when the interpreter ends in order.
        at_signal: Called with the outcome when SIGTERM is about to end the process at once.
    """

    def __init__(self, at_exit: Callable[[Outcome], None], at_signal: Callable[[Outcome], None]) -> None:
        self._at_exit = at_exit
        self._at_signal = at_signal
        self._noted: Outcome | None = None
        self._signalled: Outcome | None = None
        self._excepthook = sys.excepthook
        self._sys_exit = sys.exit
        self._handler: Any = None
        self._installed = False

    def install(self) -> None:
        """Put the hooks in place; the one for SIGTERM only from the main thread."""
        self._installed = True
        self._excepthook, sys.excepthook = sys.excepthook, self._on_exception
        self._sys_exit, sys.exit = sys.exit, self._on_sys_exit  # type: ignore[assignment]
        atexit.register(self._on_exit)
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.getsignal(signal.SIGTERM)
            if self._handler is signal.SIG_DFL or callable(self._handler):
                signal.signal(signal.SIGTERM, self._on_signal)

    def watch_child(self) -> None:
        """Notice the end of this process too if multiprocessing forked it: it ends by ``os._exit()``."""
        multiprocessing_util.Finalize(None, self._on_child_exit, exitpriority=0)

    def remove(self) -> None:
        """Take the hooks out again, unless somebody has put another in front."""
        if not self._installed:
            return
        self._installed = False
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._excepthook
        if sys.exit == self._on_sys_exit:
            sys.exit = self._sys_exit
        atexit.unregister(self._on_exit)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) == self._on_signal:
            signal.signal(signal.SIGTERM, self._handler)

    def _on_exception(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if self._installed:
            self._noted = from_exception(error)
        self._excepthook(kind, error, traceback)

    def _on_sys_exit(self, status: Any = None, /) -> None:
        if self._installed and threading.current_thread() is threading.main_thread():
            self._noted = from_exit_code(system_exit_code(status))
        self._sys_exit(status)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        outcome = from_signal(number)
        if callable(self._handler):
            # Whoever handles the signal decides whether it is the end; if it is, this is why.
            self._signalled = outcome
            self._handler(number, frame)
            return
        self._at_signal(outcome)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _on_exit(self) -> None:
        if self._installed:
            self._at_exit(self._signalled or self._noted or from_exit_code(0))

    def _on_child_exit(self) -> None:
        if self._installed:
            error = sys.exc_info()[1]
            self._at_exit(from_exit_code(0) if error is None else from_exception(error))
