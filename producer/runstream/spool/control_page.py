"""The control page of a run folder: 4096 mapped bytes of 64-bit words, read and written without a system call.

The training process, the shipper and the guardian use it to exchange values that change often and may be lost:
timestamps, counts, requests. Each word is written by one process only (see :class:`Word`), is aligned and is stored
atomically, so no lock is needed. The page does not affect what is delivered; that depends on the spool and on
``delivery.json``, so a page that was damaged is rebuilt.
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from runstream.descriptors import Mapping

if TYPE_CHECKING:
    from pathlib import Path

CONTROL_NAME = "control"
CONTROL_SIZE = 4096
_MAGIC = b"RSCTRL\x01\x00"
CONTROL_MAGIC = int.from_bytes(_MAGIC, "little")
_EMPTY = _MAGIC.ljust(CONTROL_SIZE, b"\0")


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
    #: Shipper: 1 if everything is acknowledged except exits that depend on the exit status of a running process, and
    #: what forked children that live on record after finish() was called.
    AWAITS_END = 104
    #: Shipper: total number of acknowledged records of training processes, without its own.
    TRAINERS_ACKED = 112
    #: ``runstream shippers stop``: 1 if the training process must not start a shipper again.
    DELIVERY_STOPPED = 120
    #: Shipper: number and bytes of the files that are not uploaded yet, and the bytes that it has uploaded.
    UPLOAD_FILES = 128
    UPLOAD_BYTES = 136
    UPLOADED_BYTES = 144


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
    """A mapped control page. It is shared by several processes, each of which writes only its own words.

    The page is created if it does not exist, and rebuilt if it is damaged: its words are then 0. Raises OSError if the
    page neither exists nor can be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mapping: Mapping | None = None
        #: The words by index (offset / 8).
        self.words: memoryview
        self._open(_EMPTY)

    def check(self) -> bool:
        """Rebuild the page if it was deleted or damaged; return whether its words are lost and must be stored again.

        To be called about once a second. Where the page cannot be rebuilt, its words are those of this process only.
        """
        sound = self._sound
        with suppress(OSError):
            found = os.stat(self._path)  # noqa: PTH116 (once a second)
            if sound and self._mapping is not None and self._mapping.identity == (found.st_dev, found.st_ino):
                return False
        try:
            self._open(bytes(self.words) if sound else _EMPTY)
        except OSError:  # the folder is gone, or the user of this process may not use it
            if not sound:
                self._mapping, self.words = None, memoryview(bytearray(_EMPTY)).cast("Q")
        return not sound

    @property
    def _sound(self) -> bool:
        mapping = self._mapping
        return mapping is not None and mapping.intact and not mapping.shrunk and self.words[0] == CONTROL_MAGIC

    def _open(self, content: bytes) -> None:
        """Map the file, with a content if it does not exist or is damaged."""
        if not self._path.exists():
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
            draft.touch(mode=0o600)
            draft.write_bytes(content)
            draft.replace(self._path)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if len(page := os.pread(descriptor, CONTROL_SIZE, 0)) < CONTROL_SIZE or not page.startswith(_MAGIC):
                # Written in full instead of extended: a store to a sparse page on a full disk would cause a SIGBUS.
                os.pwrite(descriptor, content, 0)
            self._mapping = Mapping(descriptor, CONTROL_SIZE)
        finally:
            os.close(descriptor)
        self.words = memoryview(self._mapping.memory).cast("Q")

    def __getitem__(self, word: Word) -> int:
        if self._mapping is not None and self._mapping.shrunk:
            self.check()
        return self.words[word >> 3]

    def __setitem__(self, word: Word, value: int) -> None:
        if self._mapping is not None and self._mapping.shrunk:
            self.check()
        self.words[word >> 3] = value

    def close(self) -> None:
        """Unmap the page; a second call does nothing."""
        self.words.release()
        self._mapping = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
