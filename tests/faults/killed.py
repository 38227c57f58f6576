"""Programs that are killed again and again."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runstream_deploy.processes.child import Child, Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper


class Killed(threading.Thread):
    """Runs a program, and starts it again whenever it has killed it after a random time; timing apart deterministic."""

    def __init__(self, command: Command, log: Path, reaper: Reaper, *, lives_s: tuple[float, float]) -> None:
        super().__init__(daemon=True)
        self._command, self._log, self._reaper = command, log, reaper
        self._lives_s = lives_s
        self._random = random.Random(11)
        self._stopping = threading.Event()
        self.kills = 0

    def run(self) -> None:
        """Start and kill the program until stopped; the last one goes on until the end."""
        while True:
            child = Child(self._command, self._log, self._reaper)
            if self._stopping.wait(self._random.uniform(*self._lives_s)):
                self._last = child
                return
            child.kill()
            self.kills += 1

    def stop_killing(self) -> Child:
        """Return the process that is not killed any more."""
        self._stopping.set()
        self.join()
        return self._last


@contextmanager
def running(*programs: Killed) -> Iterator[None]:
    """Run programs until the block ends."""
    for program in programs:
        program.start()
    try:
        yield
    finally:
        for program in programs:
            program.stop_killing().stop()
