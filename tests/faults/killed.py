"""Programs that are killed again and again."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runstream_deploy.processes.child import Child, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper


_LOOK_S = 0.1


class Killed(threading.Thread):
    """Runs a program, and starts it again whenever it has killed it after a random time; timing apart deterministic.

    If ``progress`` is given, a process is not killed before what it returns has changed: on a busy machine, a program
    may take longer to start than it is to live.
    """

    def __init__(
        self,
        command: Command,
        log: Path,
        reaper: Reaper,
        *,
        lives_s: tuple[float, float],
        progress: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._command, self._log, self._reaper = command, log, reaper
        self._lives_s = lives_s
        self._progress = progress
        self._random = random.Random(11)
        self._sparing, self._spared, self._ending = threading.Event(), threading.Event(), threading.Event()
        self.kills = 0

    def run(self) -> None:
        """Start and kill the program, then let one process live until the end.

        This thread lives as long: a process ends with the thread that started it.
        """
        while True:
            before = self._progress and self._progress()
            child = Child(self._command, self._log, self._reaper)
            spared = self._sparing.wait(self._random.uniform(*self._lives_s))
            while self._progress and not spared and self._progress() == before:
                spared = self._sparing.wait(_LOOK_S)
            if spared:
                break
            child.kill()
            self.kills += 1
        self._spared.set()
        self._ending.wait()
        child.stop()

    def stop_killing(self) -> None:
        """Let the present process live."""
        self._sparing.set()
        self._spared.wait()

    def stop(self) -> None:
        """Stop the program."""
        self._sparing.set()
        self._ending.set()
        self.join()


@contextmanager
def running(*programs: Killed) -> Iterator[None]:
    """Run programs until the block ends."""
    for program in programs:
        program.start()
    try:
        yield
    finally:
        for program in programs:
            program.stop()
