"""The process that makes rows of TensorBoard's event files, as the shipper keeps it: started when it is asked for."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from runstream.tensorboard.requests import REQUESTS_NAME

if TYPE_CHECKING:
    from runstream.run_folder.folder import RunFolder

log = logging.getLogger(__name__)

#: Exit statuses behind which there is no use in another: all is taken, no run folder, no library to read with.
_FINAL = frozenset({0, 64, 66, 69})
#: Readers that may fail one after the other.
_ATTEMPTS = 5
_FIRST_WAIT_S = 0.5
#: How long it may take to read the rest once everything is written; what is not read by then is left out.
_END_S = 300.0


class EventFileReader:
    """Keeps a reader at work from the first request until all is read.

    It is a process of its own: the libraries that read event files are large, and none of them is trusted to return.

    Args:
        folder: The run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._requests = folder.path / REQUESTS_NAME
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._start_at = 0.0
        #: Somebody asked for event files to be read.
        self.wanted = False
        self._ending_since: float | None = None
        self._settled = False

    def settled(self) -> bool:
        """Tell whether there is nothing more to read, once :meth:`turn` was told that nothing more is written."""
        return self._settled or not self.wanted

    def turn(self, now: float, *, ending: bool) -> None:
        """Look after the reader.

        Args:
            now: Seconds, of a clock that does not jump.
            ending: Nothing more will be written.
        """
        if self._settled:
            return
        self.wanted = self.wanted or self._requests.exists()
        if self._process is not None:
            self._attend(self._process, now, ending=ending)
        elif self.wanted and now >= self._start_at:
            self._start(now)

    def close(self) -> None:
        """Let go of the reader, which then ends by itself."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _start(self, now: float) -> None:
        try:
            self._process = self._started()
        except OSError as error:
            log.warning("the reader of event files cannot be started: %s", error)
            self._note_end(-1, now)

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder.logs / "tensorboard.log").open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "runstream.tensorboard", str(self._folder.path)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )

    def _attend(self, process: subprocess.Popen[bytes], now: float, *, ending: bool) -> None:
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
            log.warning("the reader of event files does not end: what it has not read is left out")
            process.kill()
            self._failures = _ATTEMPTS

    def _note_end(self, status: int, now: float) -> None:
        self._ending_since = None
        if status:
            self._failures += 1
            log.warning("the reader of event files ended with %d, see logs/tensorboard.log", status)
        self._settled = status in _FINAL or self._failures > _ATTEMPTS
        self._start_at = now + _FIRST_WAIT_S * 2**self._failures
