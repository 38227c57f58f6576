"""Hooks that find out how the process ends: by an exception, ``sys.exit``, SIGTERM or the end of the script.

The hooks belong to the process. They are installed with its first active run and removed after the last, so that runs
can begin and end in any order.
"""

from __future__ import annotations

import atexit
import dis
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing import process as multiprocessing_process
from multiprocessing import util as multiprocessing_util
from typing import TYPE_CHECKING, Any, Protocol

from runstream.tracking.lifecycle import outcome as outcomes
from runstream.tracking.lifecycle.fork_signals import ForkSignals

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

#: The versions of CPython that :func:`frame_returned` is tested with.
_OLDEST, _NEWEST = (3, 11), (3, 14)


class ExitListener(Protocol):
    """Is called when the process ends."""

    def finish(self, outcome: outcomes.Outcome) -> None:
        """End the run: the interpreter is about to exit."""

    def finish_on_signal(self, outcome: outcomes.Outcome) -> None:
        """End the run at once: a signal ends the process when this returns."""

    def note_handled_signal(self, outcome: outcomes.Outcome) -> None:
        """Record a signal that may end the process: the program handles it."""


class ExitHooks:
    """The listeners of this process, and the hooks that are installed for them."""

    def __init__(self) -> None:
        self._layer: _Layer | None = None
        self._fork_signals: ForkSignals | None = None

    def add(self, live: ExitListener) -> None:
        """Add a listener. The hook for SIGTERM is only installed from the main thread."""
        if self._layer is None:
            self._layer = _Layer()
            self._layer.install()
        if self._fork_signals is None:
            self._fork_signals = ForkSignals()
            self._fork_signals.install()
        self._layer.live.append(live)

    def remove(self, live: ExitListener) -> None:
        """Remove a listener; after the last, remove the hooks too, except those that others have replaced."""
        layer = self._layer
        if layer is not None and live in layer.live:
            layer.live.remove(live)
            if not layer.live:
                layer.uninstall()
                self._layer = None

    def watch_child(self) -> None:
        """Install a hook for a process forked by multiprocessing, which ends by ``os._exit()``."""
        if self._layer is not None:
            self._layer.watch_child()


class _Layer:
    """Hooks of the interpreter, from :meth:`install` to :meth:`uninstall`. Each calls the hook that it replaced.

    A layer is installed once only: a hook that replaced one of ours later goes on calling it.
    """

    def __init__(self) -> None:
        self.live: list[ExitListener] = []
        #: The earlier handler of SIGTERM.
        self.handler: Any = None
        self._noted: outcomes.Outcome | None = None
        self._signalled: outcomes.Outcome | None = None
        self._interrupted = False
        self._excepthook = sys.excepthook
        self._undo_sys_exit: Callable[[], None] | None = None
        self._main: FrameType | None = None
        self._child = 0

    def watch_child(self) -> None:
        if self._child != os.getpid():
            self._child = os.getpid()
            multiprocessing_util.Finalize(None, self._on_child_exit, exitpriority=0)

    def install(self) -> None:
        self._main = _main_frame()
        if multiprocessing_process.parent_process() is not None:
            self.watch_child()  # multiprocessing handles the exceptions of its processes itself
        multiprocessing_util.register_after_fork(self, _Layer.watch_child)
        self._excepthook, sys.excepthook = sys.excepthook, self._on_exception
        self._undo_sys_exit = observe_sys_exit(self._on_sys_exit)
        atexit.register(self._on_exit)
        if threading.current_thread() is threading.main_thread():
            self.handler = _handler_of_others()
            if self.handler is signal.SIG_DFL or callable(self.handler):
                signal.signal(signal.SIGTERM, self._on_signal)

    def uninstall(self) -> None:
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._excepthook
        if self._undo_sys_exit is not None:
            self._undo_sys_exit()
        atexit.unregister(self._on_exit)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) == self._on_signal:
            signal.signal(signal.SIGTERM, self.handler)
        self._main = None

    def _on_exception(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if self.live:
            self._noted = outcomes.from_exception(error)
        self._interrupted = kind is KeyboardInterrupt
        self._excepthook(kind, error, traceback)

    def _on_sys_exit(self, status: Any) -> None:
        if self.live and threading.current_thread() is threading.main_thread():
            self._noted = outcomes.from_sys_exit(status, sys._getframe(2))  # noqa: SLF001 - the caller of sys.exit()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        outcome = outcomes.from_signal(number)
        if callable(self.handler):
            # The program decides whether the signal ends the process; if so, this is the reason.
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
        interrupted = self._interrupted and self._main is not None and frame_returned(self._main) is False
        self._finish_all(self._signalled or self._how_the_script_ended())
        if interrupted:
            _note_interrupt()

    def _on_child_exit(self) -> None:
        error = sys.exc_info()[1]
        self._finish_all(outcomes.from_exit_code(0) if error is None else outcomes.from_exception(error))

    def _finish_all(self, outcome: outcomes.Outcome) -> None:
        for live in [*self.live][::-1]:
            live.finish(outcome)

    def _how_the_script_ended(self) -> outcomes.Outcome:
        if self._main is None:
            return self._noted or outcomes.from_exit_code(0)
        if frame_returned(self._main):
            return outcomes.from_exit_code(0)  # An exception that was noted was caught.
        # Else SystemExit without sys.exit(), which Python shows to no hook; or how the script ended is not known.
        return self._noted or _unhooked_exception() or outcomes.LEFT_TO_STATUS


def _unhooked_exception() -> outcomes.Outcome | None:
    """Return the outcome of an uncaught exception for which another hook than ours was called."""
    error = getattr(sys, "last_value", None)
    return outcomes.from_exception(error) if isinstance(error, BaseException) else None


def _note_interrupt() -> None:
    """Have the interpreter end by SIGINT, as it does after a KeyboardInterrupt that nothing caught.

    CPython forgets that there was one whenever it runs a string as code, as importing a module with a dataclass does.
    """
    with suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")  # noqa: S102


def _handler_of_others() -> Any:
    """Return the handler of SIGTERM below layers of ours that could not be removed and have no listeners."""
    handler = signal.getsignal(signal.SIGTERM)
    while isinstance(layer := getattr(handler, "__self__", None), _Layer) and not layer.live:
        handler = layer.handler
    return handler


def _main_frame() -> FrameType | None:
    """Return the outermost frame of the main thread: the script, or the program that runs it."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def frame_returned(frame: FrameType) -> bool | None:
    """Return whether a frame that has ended returned, instead of raising; None if it cannot be determined.

    Reads the last instruction that the frame executed, as CPython 3.11 to 3.14 record it.
    """
    if sys.implementation.name != "cpython" or not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return None
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


def observe_sys_exit(observer: Callable[[Any], None]) -> Callable[[], None]:
    """Have ``sys.exit()`` call a function with its argument first; return a function that undoes this.

    Python shows SystemExit to no hook. This works with every version, for callers that look ``sys.exit`` up when they
    call it. The code of other calls is not known; the exit status of the process has to be read instead.
    """
    original = sys.exit

    def sys_exit(status: Any = None, /) -> None:
        observer(status)
        original(status)

    def undo() -> None:
        if sys.exit is sys_exit:  # else it has been replaced since, and the replacement calls ours
            sys.exit = original

    sys.exit = sys_exit  # type: ignore[assignment]
    return undo


EXIT_HOOKS = ExitHooks()
