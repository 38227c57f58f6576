"""What the shipper adds to a run: console lines, system samples, and the process that reads event files."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from typing import Any

from runstream.run_folder.folder import RunFolder
from runstream.run_folder.process_identity import Host
from runstream.shipper.sources.console_log import ConsoleLog, last_spooled
from runstream.shipper.sources.event_file_reader import EventFileReader
from runstream.shipper.sources.shipper_writer import ShipperWriter
from runstream.shipper.sources.system_metrics import SystemSampler
from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.format import StreamCode, TopicCode
from runstream_schemas.events import Role
from runstream_schemas.limits import DEFAULT_LIMITS

log = logging.getLogger(__name__)

#: Under which name the console log is a file of the run.
CONSOLE_FILE = "output.log"
#: Seconds before the first sample: rates need an interval.
_FIRST_SAMPLE_S = 1.0
#: Maximum number of lines in the spool that are not acknowledged; further lines stay in their file.
_PENDING_LINES = 5000


class Collector:
    """Appends rows to the shipper's own spool. ``console`` is how many bytes of ``console.log`` are recorded."""

    def __init__(self, folder: RunFolder, host: Host, *, console: int, sample: bool) -> None:
        self._folder = folder
        self._label = folder.info.label
        self._host = host
        self.writer = ShipperWriter(folder)
        self._console = ConsoleLog(folder.console, console, DEFAULT_LIMITS.string_length)
        self._interval = folder.info.system_interval_s if sample else 0.0
        self._sampler: SystemSampler | None = None
        self._due = 0.0
        self._events = EventFileReader(folder)
        #: The GPUs of the machine that are not recorded yet.
        self._gpus: list[dict[str, Any]] = []
        #: The writer that samples are attributed to.
        self._trainer = b""
        #: All training processes have ended.
        self._ending = False

    @property
    def console_offset(self) -> int:
        """Bytes of the console log that are recorded."""
        return self._console.offset

    def begin(self) -> None:
        """Find out how far an earlier shipper recorded the console log."""
        folder = self._folder
        shippers = [writer for writer in folder.writers() if folder.writer_info(writer).role is Role.SHIPPER]
        last = last_spooled(folder.writer_folder(writer) for writer in shippers)
        if last is not None and last >= self._console.offset:
            self._console.offset = self._console.line_end(last)

    def collect(self, trainers: Iterable[WriterTail], *, pending: int, now: float) -> None:
        """Record new console lines, and a sample of the trainers' processes if one is due.

        ``pending`` is how many rows of the shipper's own writer are not acknowledged; ``now`` is of a monotonic clock.
        """
        trainers = list(trainers)
        if pending < _PENDING_LINES:
            self._record_lines(final=False)
        self._trainer = next((tail.info.id for tail in trainers if tail.info.role is not Role.CHILD), self._trainer)
        if self._interval and now >= self._due:
            self._sample([tail.info.pid for tail in trainers], now)
            if self._gpus and any(tail.info.role is Role.PRIMARY for tail in trainers):
                self._describe_gpus()
        self._ending = all(tail.exit is not None for tail in trainers)
        self._events.turn(now, ending=self._ending)
        if self._events.wanted and not self.writer.begun:
            with contextlib.suppress(OSError):  # the disk is full: the next turn tries again
                self.writer.begin()

    def reading(self) -> bool:
        """Whether event files are still being read although all training processes have ended."""
        return self._ending and not self._events.settled()

    def drain(self) -> None:
        """Record the rest of the console log, and the log as a file of the run: nothing more is written to it."""
        while self._record_lines(final=True):
            pass
        roles = {self._folder.writer_info(writer).role for writer in self._folder.writers()}
        with contextlib.suppress(OSError):  # there is no log
            if (size := self._folder.console.stat().st_size) and Role.PRIMARY in roles:
                source = {"source": str(self._folder.console), "size": size, "media_type": "text/plain", "read": True}
                self.writer.begin().append(TopicCode.FILE, {"path": CONSOLE_FILE, "policy": "end", **source})

    def close(self) -> None:
        """Close files, and let the reader of event files end."""
        self._console.close()
        self._events.close()

    def _record_lines(self, *, final: bool) -> bool:
        before, now = self._console.offset, time.time_ns() // 1000
        lines = self._console.read(final=final)
        try:
            for line in lines:
                label = child_label(self._label, line.child) if line.child else self._label
                row = {"stream": line.stream, "text": line.text, "label": label, "host": self._host.name}
                self.writer.append(StreamCode.CONSOLE, line.start, now if line.time is None else line.time, row)
        except OSError as error:
            self._console.offset = before
            log.warning("cannot record console lines yet: %s", error)
            return False
        return bool(lines)

    def _describe_gpus(self) -> None:
        """Record the GPUs as metadata of the run; not when it begins, since opening NVML may take seconds."""
        with contextlib.suppress(OSError):  # the disk is full: the next sample tries again
            self.writer.begin().append(TopicCode.CONFIG, [["metadata", "set", ["gpu_nvidia"], self._gpus]])
            self._gpus = []

    def _sample(self, pids: list[int], now: float) -> None:
        if self._sampler is None:
            from runstream.shipper.sources.system_metrics import SystemSampler  # noqa: PLC0415 (not needed at the start)

            self._sampler = SystemSampler(self._folder.path)
            if self._folder.info.settings.get("machine_info") is not False:
                self._gpus = self._sampler.gpus.describe()
            self._due = now + min(_FIRST_SAMPLE_S, self._interval)
            return
        self._due = now + self._interval
        time_us = time.time_ns() // 1000
        number = max(time_us - self._folder.info.started, 0) // int(self._interval * 1_000_000)
        whose = {"trainer": self._trainer.hex(), "label": self._label, "host": self._host.name}
        try:
            self.writer.append(StreamCode.SYSTEM, number, time_us, self._sampler.sample(pids, now) | whose)
        except OSError as error:
            log.warning("cannot record a system sample: %s", error)


def child_label(label: str, pid: int) -> str:
    """Return the label of a forked child, as the child itself determines it."""
    return f"{label}/{pid}" if label else f"pid {pid}"
