"""In the training process: noting where event files are written. No thread, and no import of a TensorBoard library."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import weakref
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.tensorboard.imports import AfterImport
from runstream.tensorboard.requests import Request, add_request

if TYPE_CHECKING:
    from types import ModuleType

    from runstream.tracking.run.run import Run

#: The modules with the class that opens an event file: of torch and of tensorboard itself, and of tensorboardX.
_MODULES = ("tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer")
_MARK = "_runstream_original"


class Following:
    """The runs of a process that follow its writers, and the writers."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        #: Each with the process that made it: a forked child has the writers of its parent without their threads.
        self._writers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._hook = AfterImport(dict.fromkeys(_MODULES, self._wrap))
        self._hooked = False
        self._patched = False
        self._root = ""

    def patch(self, root: str) -> None:
        """Follow writers in every run from now on; all below ``root``, if one is given."""
        from runstream.tracking.run.session import SESSION  # noqa: PLC0415 (it imports us)

        self._patched, self._root = True, root
        if SESSION.run is not None:
            self.begin(SESSION.run)

    def unpatch(self) -> None:
        """Follow only where a run's settings say so."""
        self._patched, self._root = False, ""

    def begin(self, run: Run) -> None:
        """Follow writers for a run, if its settings or :meth:`patch` say so."""
        if run.disabled or not (self._patched or run.settings.sync_tensorboard):
            return
        if run not in self._runs:
            self._runs.append(run)
        if not self._hooked:
            self._hook.install()
            self._hooked = True
        # Registered behind the hooks of the run, hence called before the run notes its end.
        atexit.unregister(self.flush)
        atexit.register(self.flush)
        if find_spec("tensorboard") is None:
            _warn(run, "sync_tensorboard needs the package tensorboard: pip install 'runstream[tensorboard]'")
        if self._root:
            _ask(run, Request(folder=self._root, root=self._root))

    def end(self, run: Run) -> None:
        """Have what the writers hold written to their files: the run is about to end."""
        if run not in self._runs:
            return
        self.flush()
        self._runs.remove(run)
        if not self._runs:
            self._hook.remove()
            self._hooked = False

    def flush(self) -> None:
        """Have every writer of this process write what it holds."""
        for writer in [writer for writer, pid in list(self._writers.items()) if pid == os.getpid()]:
            with contextlib.suppress(Exception):  # it may be closed, or its disk full
                _empty_queue(writer)
                writer.flush()

    def _wrap(self, module: ModuleType) -> None:
        """Have the class that opens event files tell us where."""
        kind = module.EventFileWriter
        original = kind.__init__
        if hasattr(original, _MARK):
            return

        @functools.wraps(original)
        def init(writer: Any, logdir: Any, *arguments: Any, **keywords: Any) -> None:
            original(writer, logdir, *arguments, **keywords)
            self._note(writer, logdir)

        setattr(init, _MARK, original)
        kind.__init__ = init

    def _note(self, writer: Any, logdir: Any) -> None:
        if not self._runs:
            return
        self._writers[writer] = os.getpid()
        folder = os.fspath(logdir)
        for run in self._runs:
            if "://" in folder:
                _warn(run, f"sync_tensorboard reads folders of this machine only, not {folder}")
            else:
                _ask(run, Request(folder=os.path.abspath(folder), root=self._root, pid=os.getpid()))  # noqa: PTH100


def _empty_queue(writer: Any) -> None:
    """Have a writer of tensorboardX write what it has queued; those of others do so when they are flushed."""
    worker = getattr(writer, "_worker", None)
    if worker is not None and hasattr(writer, "reopen"):
        worker.stop()  # returns when the queue is empty
        writer._closed = True  # noqa: SLF001 - reopen() begins again with the same file where this is so
        writer.reopen()


def _ask(run: Run, request: Request) -> None:
    try:
        add_request(Path(run.dir).parent, request)
    except OSError as error:
        _warn(run, f"{request.folder} cannot be followed: {error}")


def _warn(run: Run, text: str) -> None:
    run._backend.terminal.warn(text)  # noqa: SLF001 - ours


FOLLOWING = Following()
