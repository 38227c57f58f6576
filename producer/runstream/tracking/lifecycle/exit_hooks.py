"""Noticing how the process ends: uncaught exceptions, ``sys.exit``, SIGTERM, the end of the script.

The hooks belong to the process. They are put in place with the first run that is live and taken out after the last,
so that runs may begin and end in any order.
"""

from __future__ import annotations

import atexit
import dis
import os
import signal
import sys
import threading
from multiprocessing import util as multiprocessing_util
from typing import TYPE_CHECKING, Any, Protocol

from runstream.tracking.lifecycle.outcome import (
    LEFT_TO_STATUS,
    Outcome,
    from_exception,
    from_exit_code,
    from_signal,
    system_exit_code,
)

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class ExitListener(Protocol):
    """What is told of the end of the process."""

    def finish(self, outcome: Outcome) -> None:
        """End: the interpreter ends in order."""

    def finish_on_signal(self, outcome: Outcome) -> None:
        """End at once: when this has returned, a signal ends the process."""

    def note_handled_signal(self, outcome: Outcome) -> None:
        """Take note of a signal that may be the end: the program handles it."""


class ExitHooks:
    """What is live in this process, and the hooks that are in place for it, if any are."""

    def __init__(self) -> None:
        self._layer: _Layer | None = None

    def add(self, live: ExitListener) -> None:
        """Tell something of the end from now on. The hook for SIGTERM is put in place only from the main thread."""
        if self._layer is None:
            self._layer = _Layer()
            self._layer.install()
        self._layer.live.append(live)

    def remove(self, live: ExitListener) -> None:
        """Tell it no more; after the last, take the hooks out, but for those that somebody has put another before."""
        layer = self._layer
        if layer is not None and live in layer.live:
            layer.live.remove(live)
            if not layer.live:
                layer.uninstall()
                self._layer = None

    def watch_child(self) -> None:
        """Notice the end of this process too if multiprocessing forked it: it ends by ``os._exit()``."""
        if self._layer is not None:
            self._layer.watch_child()


class _Layer:
    """Hooks of the interpreter, from :meth:`install` to :meth:`uninstall`; each calls what it found in its place.

    A layer is not put in place twice: where somebody has put a hook before one of ours, it goes on calling ours.
    """

    def __init__(self) -> None:
        self.live: list[ExitListener] = []
        #: What handled SIGTERM before.
        self.handler: Any = None
        self._noted: Outcome | None = None
        self._signalled: Outcome | None = None
        self._excepthook = sys.excepthook
        self._sys_exit = sys.exit
        self._main: FrameType | None = None
        self._child = 0

    def watch_child(self) -> None:
        """Notice the end of this process too if multiprocessing forked it: it ends by ``os._exit()``."""
        if self._child != os.getpid():
            self._child = os.getpid()
            multiprocessing_util.Finalize(None, self._on_child_exit, exitpriority=0)

    def install(self) -> None:
        """Put the hooks in place."""
        self._main = _main_frame()
        self._excepthook, sys.excepthook = sys.excepthook, self._on_exception
        self._sys_exit, sys.exit = sys.exit, self._on_sys_exit  # type: ignore[assignment]
        atexit.register(self._on_exit)
        if threading.current_thread() is threading.main_thread():
            self.handler = _handler_of_others()
            if self.handler is signal.SIG_DFL or callable(self.handler):
                signal.signal(signal.SIGTERM, self._on_signal)

    def uninstall(self) -> None:
        """Take the hooks out."""
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._excepthook
        if sys.exit == self._on_sys_exit:
            sys.exit = self._sys_exit
        atexit.unregister(self._on_exit)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) == self._on_signal:
            signal.signal(signal.SIGTERM, self.handler)
        self._main = None

    def _on_exception(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if self.live:
            self._noted = from_exception(error)
        self._excepthook(kind, error, traceback)

    def _on_sys_exit(self, status: Any = None, /) -> None:
        if self.live and threading.current_thread() is threading.main_thread():
            self._noted = from_exit_code(system_exit_code(status))
        self._sys_exit(status)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        outcome = from_signal(number)
        if callable(self.handler):
            # Whoever handles the signal decides whether it is the end; if it is, this is why.
            self._signalled = outcome
            for live in [*self.live]:
                live.note_handled_signal(outcome)
            self.handler(number, frame)
            return
        for live in [*self.live]:
            live.finish_on_signal(outcome)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _on_exit(self) -> None:
        self._finish_all(self._signalled or self._how_the_script_ended())

    def _on_child_exit(self) -> None:
        error = sys.exc_info()[1]
        self._finish_all(from_exit_code(0) if error is None else from_exception(error))

    def _finish_all(self, outcome: Outcome) -> None:
        for live in [*self.live][::-1]:
            live.finish(outcome)

    def _how_the_script_ended(self) -> Outcome:
        if self._main is not None and _returned(self._main):
            return from_exit_code(0)  # what was noted was caught
        if self._noted is not None or self._main is None:
            return self._noted or from_exit_code(0)
        # SystemExit that was raised without sys.exit(): Python shows it to no hook, but it has left its trace.
        return LEFT_TO_STATUS


def _handler_of_others() -> Any:
    """Return what handles SIGTERM, behind layers of ours that could not be taken out and have nothing live any more."""
    handler = signal.getsignal(signal.SIGTERM)
    while isinstance(layer := getattr(handler, "__self__", None), _Layer) and not layer.live:
        handler = layer.handler
    return handler


def _main_frame() -> FrameType | None:
    """Return the outermost frame of the main thread: the script itself, or what runs it."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _returned(frame: FrameType) -> bool:
    """Tell whether a frame that is left was left by a return, not by an exception."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


EXIT_HOOKS = ExitHooks()
