"""The control page of a run folder: 4096 mapped bytes of 64-bit words, read and written without a system call.

Trainer, shipper and guardian tell one another here what changes often and may be lost: signs of life, counts, requests.
Each word has one author (see :class:`Word`), is aligned and stored in one piece, so no lock is needed. Nothing in the
page decides what is delivered: the spool and ``delivery.json`` do.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CONTROL_NAME = "control"
CONTROL_SIZE = 4096
CONTROL_MAGIC = int.from_bytes(b"RSCTRL\x01\x00", "little")


class Word(IntEnum):
    """The words of the page, as their offsets in bytes; little-endian unsigned integers."""

    MAGIC = 0
    #: Shipper: microseconds since 1970 of its last sign of life, stored at least once a second.
    SHIPPER_ALIVE = 8
    #: Shipper.
    SHIPPER_PID = 16
    #: Guardian.
    GUARDIAN_PID = 24
    #: Trainer: 1 once ``finish()`` waits; the shipper then flushes at once.
    FINISH_REQUESTED = 40
    #: Shipper: records it has seen in the spool that no broker has acknowledged.
    PENDING = 48
    #: Shipper: records acknowledged in all.
    ACKED = 56
    #: Shipper: a :class:`Phase`.
    PHASE = 64
    #: Trainer: records dropped by policy.
    DROPPED = 72
    #: Shipper: 1 once it has learnt that somebody asked for the run to be stopped.
    STOP_REQUESTED = 80
    #: Trainer: 1 once it has said that it is about to be preempted; the shipper then beats at once.
    PREEMPTING = 88
    #: Shipper: microseconds since 1970 at which a record was acknowledged last; 0: never.
    LAST_ACKED = 96
    #: Shipper: 1 once all is acknowledged but for exits that the end of a process decides.
    AWAITS_END = 104


class Phase(IntEnum):
    """How far delivery is."""

    NEVER_CONNECTED = 0
    CONNECTED = 1
    BROKER_UNREACHABLE = 2
    #: Everything in the folder, exits included, is acknowledged.
    DELIVERED = 3


class ControlPage:
    """One mapped control page. Shared by processes; each writes its own words only."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size < CONTROL_SIZE:
                raise ValueError(f"{path} is no control page: it is too short")
            self._map = mmap.mmap(descriptor, CONTROL_SIZE)
        finally:
            os.close(descriptor)
        #: The words by index (offset / 8), for code that cannot afford a method call.
        self.words = memoryview(self._map).cast("Q")
        if self[Word.MAGIC] != CONTROL_MAGIC:
            self.close()
            raise ValueError(f"{path} is no control page: it begins with other bytes")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Map the page, created if it does not exist; ValueError if there is another file of this name."""
        if not path.exists():
            draft = path.with_name(f"{path.name}.{os.getpid()}.new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                # Written, not truncated to size: a store to a sparse page of a full disk would be a SIGBUS.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
