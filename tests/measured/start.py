"""Starts the C tracer of coverage.py in this process; at its exit, saves which lines were run after which.

A ``.pth`` file imports this module before anything else in each process with ``MEASURED_START`` in its environment. It
imports only what Python has loaded by then, and ``threading``. A process that is killed saves nothing.
"""

from __future__ import annotations

import _frozen_importlib
import _frozen_importlib_external
import atexit
import marshal
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

_FOLDER = os.environ["MEASURED_FOLDER"]
_SOURCES = tuple(os.environ["MEASURED_SOURCES"].split(":"))
#: Pairs of lines, packed into integers, by path.
_DATA: dict[str, set[int]] = {}
_VERDICTS: dict[str, object] = {}
_NOTHING = {}.clear  # In C, so that no signal handler runs in it.
_exit = os._exit


_TRACER: Any = _frozen_importlib._load(  # type: ignore[attr-defined]  # noqa: SLF001
    _frozen_importlib_external.spec_from_file_location("coverage.tracer", os.environ["MEASURED_TRACER"])
)


def _verdict(path: str, _frame: object) -> object:
    """Return whether a file is measured, as the tracer expects it."""
    found = _TRACER.CFileDisposition()
    found.original_filename = found.canonical_filename = found.source_filename = path
    found.trace = path.startswith(_SOURCES)
    found.reason = ""
    found.file_tracer = None
    found.has_dynamic_filename = False
    return found


def _trace() -> Any:
    tracer = _TRACER.CTracer()
    tracer.data = _DATA
    tracer.trace_arcs = True
    tracer.should_trace = _verdict
    tracer.should_trace_cache = _VERDICTS
    tracer.file_tracers = {}
    # The interpreter's lock is held wherever the data is changed.
    tracer.lock_data = tracer.unlock_data = _NOTHING
    tracer.check_include = tracer.should_start_context = tracer.switch_context = tracer.concur_id_func = None
    tracer.warn = print
    return tracer.start()


def _trace_thread(frame: FrameType, event: str, arg: Any) -> Any:
    """Replace itself by a tracer at the first call in a new thread."""
    sys.settrace(None)
    return _trace()(frame, event, arg)


def _forget() -> None:
    """Keep what the parent measured out of the data of a forked child. The tracer still refers to the sets."""
    for pairs in _DATA.values():
        pairs.clear()


def _save() -> None:
    sys.settrace(None)
    data = {path: frozenset(pairs.copy()) for path, pairs in list(_DATA.items()) if pairs}
    name = f"{_FOLDER}/{os.getpid()}-{os.urandom(6).hex()}"
    try:
        with open(name + ".part", "wb") as file:  # noqa: PTH123 - pathlib is not loaded
            file.write(marshal.dumps(data))
        os.replace(name + ".part", name + ".pairs")  # noqa: PTH105
    except OSError:
        # The disk of a test is full, or the process has no access.
        return


def _save_and_exit(status: int) -> NoReturn:
    _save()
    _exit(status)


atexit.register(_save)
os.register_at_fork(after_in_child=_forget)
os._exit = _save_and_exit
threading.settrace(_trace_thread)
_trace()
