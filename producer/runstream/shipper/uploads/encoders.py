"""Child processes that make files, such as PNG, of what the training process staged.

They run foreign code on data of any size, so they are limited in time and memory, and may end at any moment.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runstream.shipper.uploads.content import LostError
from runstream.shipper.uploads.store_client import StoreError

_COMMAND = (sys.executable, "-m", "runstream.media.encoders")
#: Processes at a time, and the seconds after which one without work is ended.
_PROCESSES = 2
_IDLE_S = 20.0
#: How often a file may end the process before it is lost.
_ATTEMPTS = 2
#: Seconds for a file.
_DEADLINE_S = 600.0
#: Address space of a process: at least, and as a multiple of the file.
_LEAST_MEMORY = 2 * 1024**3
_MEMORY_OF_FILE = 8
#: Libraries that would reserve memory for each core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class _EndedError(Exception):
    """The process ended, or did not answer in time."""


class Encoders:
    """Encodes files in child processes, which are started on demand. Safe with threads."""

    def __init__(self, command: Sequence[str] = _COMMAND, *, deadline_s: float = _DEADLINE_S) -> None:
        self._command = command
        self._deadline_s = deadline_s
        self._slots = threading.BoundedSemaphore(_PROCESSES)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    def encode(self, source: Path, target: Path, arguments: Mapping[str, Any]) -> None:
        """Make the file ``target`` of ``source``; raises LostError if that is not possible."""
        problem = ""
        with self._slots:
            for _ in range(_ATTEMPTS):
                try:
                    error = self._ask(source, target, arguments)
                except (_EndedError, OSError) as ended:
                    problem = str(ended)
                    if self._closed:
                        raise StoreError("the shipper is stopping") from ended
                    continue
                if error:
                    raise LostError(error)
                return
        raise LostError(f"the encoder failed {_ATTEMPTS} times: {problem}")

    def trim(self) -> None:
        """End processes that had no work for a while."""
        now = time.monotonic()
        with self._lock:
            ended = [child for child in self._idle if now - child.used_at > _IDLE_S]
            self._idle = [child for child in self._idle if child not in ended]
        for child in ended:
            child.end()

    def close(self) -> None:
        """End all processes."""
        self._closed = True
        with self._lock:
            children = [*self._idle, *self._busy]
            self._idle.clear()
        for child in children:
            child.end()

    def _ask(self, source: Path, target: Path, arguments: Mapping[str, Any]) -> str:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        child = child or _Child.start(self._command)
        with self._lock:
            self._busy.add(child)
        try:
            child.limit(max(_LEAST_MEMORY, _LEAST_MEMORY // 2 + _MEMORY_OF_FILE * source.stat().st_size))
            error = child.ask(source, target, arguments, self._deadline_s)
        except BaseException:
            child.end()
            raise
        finally:
            with self._lock:
                self._busy.discard(child)
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return error
        child.end()
        return error


@dataclass(slots=True, eq=False)
class _Child:
    process: subprocess.Popen[bytes]
    used_at: float = 0.0
    _asked: int = 0
    _read: bytearray = field(default_factory=bytearray)

    @classmethod
    def start(cls, command: Sequence[str]) -> _Child:
        environment = {**os.environ, **_ONE_THREAD}
        pipe = subprocess.PIPE
        return cls(
            subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=pipe, stdout=pipe, cwd="/", env=environment, start_new_session=True
            )
        )

    def limit(self, memory: int) -> None:
        with suppress(OSError, ValueError):  # it has ended, which is noticed next, or the limit cannot be raised
            _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_AS)
            resource.prlimit(self.process.pid, resource.RLIMIT_AS, (memory, hard))

    def ask(self, source: Path, target: Path, arguments: Mapping[str, Any], within: float) -> str:
        """Return the error of a file, or an empty text; raise _EndedError if the process ends or is too slow."""
        self._asked += 1
        request = {"id": self._asked, "source": str(source), "target": str(target), "encode": arguments}
        if self.process.stdin is None:
            raise _EndedError("it has no standard input")
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except (OSError, ValueError) as error:
            raise _EndedError(self._ending()) from error
        deadline = time.monotonic() + within
        while True:
            try:
                answer = json.loads(self._line(deadline))
            except ValueError:
                continue  # printed by a library
            if isinstance(answer, dict) and answer.get("id") == self._asked:
                self.used_at = time.monotonic()
                return str(answer.get("error") or "")

    def _line(self, deadline: float) -> bytes:
        if self.process.stdout is None:
            raise _EndedError("it has no standard output")
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._read:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                raise _EndedError("no answer in time")
            if not (data := os.read(descriptor, 65536)):
                raise _EndedError(self._ending())
            self._read += data
        line, _, rest = bytes(self._read).partition(b"\n")
        self._read = bytearray(rest)
        return line

    def _ending(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            return f"its process ended with status {self.process.wait(5)}"
        return "its process closed its output"

    def end(self) -> None:
        """Kill the process, and wait for its end."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
