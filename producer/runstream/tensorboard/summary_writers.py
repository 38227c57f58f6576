"""In the training process: record where TensorBoard writers write. Starts no thread, imports no TensorBoard library."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import weakref
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.import_hooks import ImportHooks
from runstream.tensorboard.requests import Request, add_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

#: The modules with the class that opens an event file: that of torch and tensorboard, and that of tensorboardX.
_MODULES = ("tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer")
_ORIGINAL = "_runstream_original"


@dataclass(slots=True, eq=False)
class _ActiveRun:
    folder: Path
    warn: Callable[[str], None]
    #: Whether the event files are read into this run.
    synced: bool = False

    def request(self, request: Request) -> None:
        """Ask the reader to read a folder."""
        try:
            add_request(self.folder, request)
        except OSError as error:
            self.warn(f"Cannot sync the event files in {request.folder}: {error}")


class SummaryWriters:
    """The TensorBoard writers of a process, and the runs that record what they write."""

    def __init__(self) -> None:
        self._runs: list[_ActiveRun] = []
        #: By writer, the process that opened it: a forked child has copies of the writers without their threads.
        self._writers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._hooks = ImportHooks(dict.fromkeys(_MODULES, self._wrap))
        self._patched = False
        self._root = ""
        self._save = True

    def patch(self, root: str, *, save: bool = True) -> None:
        """Sync event files to all runs from now on; those below ``root``, if it is not empty.

        They become files of the runs if ``save`` is True.
        """
        self._patched, self._root, self._save = True, root, save
        for run in self._runs:
            self._sync(run)

    def unpatch(self) -> None:
        """Sync event files only to runs whose settings ask for it."""
        self._patched, self._root, self._save = False, "", True

    def begin(self, run_dir: str, *, sync: bool, warn: Callable[[str], None]) -> None:
        """Note that a run began; sync event files to it if ``sync`` is True or after :meth:`patch`."""
        run = _ActiveRun(Path(run_dir).parent, warn)
        self._runs.append(run)
        if sync or self._patched:
            self._sync(run)

    def end(self, run_dir: str) -> None:
        """Flush the writers, since a run is about to end."""
        ended = [run for run in self._runs if run.folder == Path(run_dir).parent]
        if any(run.synced for run in ended):
            self.flush()
        self._runs = [run for run in self._runs if run not in ended]
        if not any(run.synced for run in self._runs):
            self._hooks.remove()

    def flush(self) -> None:
        """Have every writer of this process write its events to its file."""
        for writer in [writer for writer, pid in list(self._writers.items()) if pid == os.getpid()]:
            with contextlib.suppress(Exception):  # It may be closed, or the disk full.
                _write_queue(writer)
                writer.flush()

    def _sync(self, run: _ActiveRun) -> None:
        if not any(run.synced for run in self._runs):
            self._hooks.install()
        run.synced = True
        # Registered after the exit hooks of the run, so that it is called before the run records its end.
        atexit.unregister(self.flush)
        atexit.register(self.flush)
        if find_spec("tensorboard") is None:
            run.warn("sync_tensorboard needs the package tensorboard: pip install 'runstream[tensorboard]'")
        if self._root:
            run.request(Request(folder=self._root, root=self._root, save=self._save))

    def _wrap(self, module: ModuleType) -> None:
        """Have the class that opens event files call :meth:`_opened`."""
        kind = module.EventFileWriter
        original = kind.__init__
        if hasattr(original, _ORIGINAL):
            return

        @functools.wraps(original)
        def init(writer: Any, logdir: Any, *arguments: Any, **keywords: Any) -> None:
            original(writer, logdir, *arguments, **keywords)
            self._opened(writer, logdir)

        setattr(init, _ORIGINAL, original)
        kind.__init__ = init

    def _opened(self, writer: Any, logdir: Any) -> None:
        if not (runs := [run for run in self._runs if run.synced]):
            return
        self._writers[writer] = os.getpid()
        folder = os.fspath(logdir)
        for run in runs:
            if "://" in folder:
                run.warn(f"Cannot sync event files in {folder}: only local folders are supported")
            else:
                path = os.path.abspath(folder)  # noqa: PTH100 - keeps links
                run.request(Request(folder=path, root=self._root, pid=os.getpid(), save=self._save))


def _write_queue(writer: Any) -> None:
    """Have a writer of tensorboardX write its queue; the other writers do so when they are flushed."""
    worker = getattr(writer, "_worker", None)
    if worker is not None and hasattr(writer, "reopen"):
        worker.stop()  # returns when the queue is empty
        writer._closed = True  # noqa: SLF001 - only a closed writer can be reopened
        writer.reopen()


#: Global, since TensorBoard's classes are patched for the whole process.
SUMMARY_WRITERS = SummaryWriters()
