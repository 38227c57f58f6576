"""Files that stay open in the process of the program, which may close or reuse any descriptor.

A daemon closes descriptors 0 to 2: a file of ours with such a number would receive what the program prints. So every
descriptor that is kept has a number from 3 on. Some programs close all other descriptors as well, and the numbers then
belong to files of theirs: so it is checked that a number still belongs to the same file before it is used or closed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The first number that is not of a standard stream.
_FIRST = 3


class KeptFile:
    """A descriptor that stays open, until the last reference is gone; the given one is owned from now on."""

    _identity: tuple[int, int] | None = None

    def __init__(self, descriptor: int) -> None:
        self.descriptor = above_standard(descriptor)
        self._identity = identity(self.descriptor)

    @classmethod
    def open(cls, path: Path | str, flags: int, mode: int = 0o600) -> Self:
        """Open a file; raises OSError. Executed programs do not inherit the descriptor."""
        return cls(os.open(path, flags | os.O_CLOEXEC, mode))

    @property
    def intact(self) -> bool:
        """Whether the descriptor was not closed, nor its number reused for another file."""
        return self._identity is not None and identity(self.descriptor) == self._identity

    def close(self) -> None:
        """Close the descriptor, unless the program has closed it; a second call does nothing."""
        if self.intact:
            os.close(self.descriptor)
        self._identity = None

    def redirect(self, path: str) -> None:
        """Let the descriptor refer to another file, opened for writing, unless the program has closed it."""
        if self.intact:
            other = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(other, self.descriptor, inheritable=False)
            os.close(other)
            self._identity = identity(self.descriptor)

    def __del__(self) -> None:
        self.close()


class Mapping:
    """A file in memory, as ``memory``; with the last reference to this object the memory is released."""

    #: Memory that is never released, since the number of its descriptor belongs to a file of the program.
    _abandoned: ClassVar[list[mmap.mmap]] = []

    def __init__(self, descriptor: int, size: int) -> None:
        self.identity = identity(descriptor)
        with standard_descriptors():
            # mmap duplicates the descriptor, and does not disclose the number: most likely the lowest that is unused.
            self._number = os.dup(descriptor)
            os.close(self._number)
            self.memory = mmap.mmap(descriptor, size)
        if not self.intact:
            self._number = -1

    @property
    def shrunk(self) -> bool:
        """Whether the file became shorter than the memory: to use the memory would end the process by SIGBUS."""
        try:
            return self.memory.size() < len(self.memory) and self.intact
        except OSError:  # the program has closed the descriptor
            return False

    @property
    def intact(self) -> bool:
        """Whether :attr:`shrunk` is known: the program has not closed the descriptor."""
        return self._number < 0 or identity(self._number) == self.identity

    def __del__(self) -> None:
        if hasattr(self, "memory") and not self.intact:
            self._abandoned.append(self.memory)


def identity(descriptor: int) -> tuple[int, int] | None:
    """Return what identifies the file of a descriptor, or None if it is not open."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def above_standard(descriptor: int) -> int:
    """Return a descriptor, or if it has the number of a standard stream a duplicate in its place."""
    if descriptor >= _FIRST:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST)
    finally:
        os.close(descriptor)


@contextmanager
def standard_descriptors() -> Iterator[None]:
    """Occupy the numbers of closed standard streams in this context, so that nothing that is opened gets them.

    Printing fails there, as if they were closed.
    """
    taken: list[int] = []
    try:
        with suppress(OSError):
            while (descriptor := os.open("/", os.O_PATH | os.O_CLOEXEC)) < _FIRST:
                taken.append(descriptor)
            os.close(descriptor)
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def occupy_standard_descriptors() -> None:
    """Open the null device as each closed standard stream of a process of ours."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _FIRST:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional only
    os.close(descriptor)
