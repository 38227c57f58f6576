"""The process that turns TensorBoard event files into rows: started by the shipper when it is requested."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys

from runstream.run_folder.folder import RunFolder

log = logging.getLogger(__name__)

#: Exit statuses after which no other reader is started: everything is read, no run folder, no library to read with.
_FINAL = frozenset({0, 64, 66, 69})
#: How many readers may fail.
_ATTEMPTS = 5
_FIRST_WAIT_S = 0.5
#: How long reading the rest may take once everything is written; what is not read by then is skipped.
_END_S = 300.0


class EventFileReader:
    """Keeps a reader running from the first request until everything is read.

    It is a separate process: the libraries that read event files are large, and may block.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._start_at = 0.0
        #: Whether event files were requested to be read.
        self.wanted = False
        self._ending_since: float | None = None
        self._settled = False

    def settled(self) -> bool:
        """Whether nothing more will be read."""
        return self._settled or not self.wanted

    def turn(self, now: float, *, ending: bool) -> None:
        """Start the reader if necessary, and check it; ``ending`` once nothing more will be written."""
        if self._settled:
            return
        self.wanted = self.wanted or self._folder.event_files.exists()
        if self._process is not None:
            self._check(self._process, now, ending=ending)
        elif self.wanted and now >= self._start_at:
            self._start(now)

    def close(self) -> None:
        """Close the pipe to the reader, which then ends by itself."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _start(self, now: float) -> None:
        command = [sys.executable, "-P", "-m", "runstream.tensorboard", str(self._folder.path)]
        try:
            with (self._folder.logs / "tensorboard.log").open("ab") as output:
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)  # noqa: S603
        except OSError as error:
            log.warning("cannot start the reader of event files: %s", error)
            self._note_end(-1, now)

    def _check(self, process: subprocess.Popen[bytes], now: float, *, ending: bool) -> None:
        if (status := process.poll()) is not None:
            self.close()
            self._process = None
            self._note_end(status, now)
        elif ending and self._ending_since is None:
            self._ending_since = now
            with contextlib.suppress(OSError):  # it ended just now
                if process.stdin is not None:
                    process.stdin.write(b"end\n")
                    process.stdin.flush()
        elif self._ending_since is not None and now - self._ending_since > _END_S:
            log.warning("the reader of event files does not end: skipping what it has not read")
            process.kill()
            self._failures = _ATTEMPTS

    def _note_end(self, status: int, now: float) -> None:
        self._ending_since = None
        if status:
            self._failures += 1
            log.warning("the reader of event files ended with %d, see logs/tensorboard.log", status)
        self._settled = status in _FINAL or self._failures > _ATTEMPTS
        self._start_at = now + _FIRST_WAIT_S * 2**self._failures
