"""The control page of a run folder: 4096 mapped bytes of 64-bit words, read and written without a system call.

The training process, the shipper and the guardian use it to exchange values that change often and may be lost:
timestamps, counts, requests. Each word is written by one process only (see :class:`Word`), is aligned and is stored
atomically, so no lock is needed. The page does not affect what is delivered; that depends on the spool and on
``delivery.json``.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

CONTROL_NAME = "control"
CONTROL_SIZE = 4096
CONTROL_MAGIC = int.from_bytes(b"RSCTRL\x01\x00", "little")


class Word(IntEnum):
    """Byte offsets of the words of the page, and which process writes each; little-endian unsigned integers."""

    MAGIC = 0
    #: Shipper: the current time in microseconds since 1970, stored at least once a second.
    SHIPPER_ALIVE = 8
    #: Shipper: its process id.
    SHIPPER_PID = 16
    #: Guardian: its process id.
    GUARDIAN_PID = 24
    #: Training process: 1 once ``finish()`` waits; the shipper then flushes immediately.
    FINISH_REQUESTED = 40
    #: Shipper: number of records read from the spool that no broker has acknowledged yet.
    PENDING = 48
    #: Shipper: total number of acknowledged records.
    ACKED = 56
    #: Shipper: a :class:`Phase`.
    PHASE = 64
    #: Training process: number of records dropped by policy.
    DROPPED = 72
    #: Shipper: 1 after it has received a request to stop the run.
    STOP_REQUESTED = 80
    #: Training process: 1 after the program announced a preemption; the shipper then sends a heartbeat immediately.
    PREEMPTING = 88
    #: Shipper: time of the last acknowledgment of a record in microseconds since 1970; 0 if there was none.
    LAST_ACKED = 96
    #: Shipper: 1 if everything is acknowledged except exits that depend on the exit status of a running process.
    AWAITS_END = 104


class Phase(IntEnum):
    """The progress of delivery."""

    #: The first attempt to connect has not ended yet.
    CONNECTING = 0
    CONNECTED = 1
    BROKER_UNREACHABLE = 2
    #: Everything in the folder, exits included, is acknowledged.
    DELIVERED = 3
    #: No attempt to connect has succeeded yet.
    NEVER_CONNECTED = 4


class ControlPage:
    """A mapped control page. It is shared by several processes, each of which writes only its own words."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size < CONTROL_SIZE:
                raise ValueError(f"{path} is not a control page: it is too short")
            self._map = mmap.mmap(descriptor, CONTROL_SIZE)
        finally:
            os.close(descriptor)
        #: The words by index (offset / 8), for code in which a method call would be too slow.
        self.words = memoryview(self._map).cast("Q")
        if self[Word.MAGIC] != CONTROL_MAGIC:
            self.close()
            raise ValueError(f"{path} is not a control page: it begins with other bytes")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Map the page, created if it does not exist; raises ValueError if the file is not a control page."""
        if not path.exists():
            draft = path.with_name(f"{path.name}.{os.getpid()}.new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                # Written in full instead of extended: a store to a sparse page on a full disk would cause a SIGBUS.
                os.write(descriptor, CONTROL_MAGIC.to_bytes(8, "little").ljust(CONTROL_SIZE, b"\0"))
            finally:
                os.close(descriptor)
            draft.replace(path)
        return cls(path)

    def __getitem__(self, word: Word) -> int:
        return self.words[word >> 3]

    def __setitem__(self, word: Word, value: int) -> None:
        self.words[word >> 3] = value

    def close(self) -> None:
        """Unmap the page; a second call does nothing."""
        self.words.release()
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
