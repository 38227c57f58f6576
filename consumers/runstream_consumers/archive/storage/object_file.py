"""An object of which parts are read as they are needed."""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter

#: Returns a number of bytes of an object, from a place on.
Fetch = Callable[[str, int, int], bytes]

#: Ranges of which one begins at most so many bytes after the other are read at once.
_NEAR = 32 * 1024
#: The same of what is read once: a request takes as long as a megabyte of a larger one, in processor time here and in
#: latency elsewhere.
_NEAR_IN_BULK = 1024 * 1024
#: Bytes of a read at most, so that several threads share what is near.
_LARGEST_READ = 4 * 1024 * 1024

#: Beginning and length.
Range = tuple[int, int]


class ObjectFile:
    """An object as memory that is filled where it is needed; what was not read takes no space.

    Args:
        fetch: Reads from the store.
        key: The key of the object.
        size: Its size in bytes.
        threads: Those in which several ranges are read at once.
        near: Ranges of which one begins at most so many bytes after the other are one read.
    """

    def __init__(self, fetch: Fetch, key: str, size: int, threads: ThreadPoolExecutor, *, near: int = _NEAR) -> None:
        self._near = near
        self.key = key
        self.size = size
        self._fetch = fetch
        self._threads = threads
        self.memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        #: What has been read: ranges that do not overlap, ascending.
        self._loaded: list[Range] = []
        #: Bytes that have been read.
        self.used = 0
        self._lock = threading.Lock()

    def copy(self) -> ObjectFile:
        """Return the same object as memory of its own, for what is read once."""
        return ObjectFile(self._fetch, self.key, self.size, self._threads, near=_NEAR_IN_BULK)

    def load(self, ranges: Iterable[Range]) -> None:
        """Read those of some ranges that have not been read; raises the errors of the store."""
        with self._lock:
            missing = sorted(one for one in set(ranges) if not self._has(*one))
            reads = list(_divided(joined(missing, self._near)))
            fetched = [self._read(reads[0])] if len(reads) == 1 else list(self._threads.map(self._read, reads))
            for (begin, length), data in zip(reads, fetched, strict=True):
                self.memory[begin : begin + length] = data
            self._loaded = _united([*self._loaded, *reads])
            self.used = sum(length for _, length in self._loaded)

    def read(self, begin: int, length: int) -> bytes:
        """Return a range."""
        self.load([(begin, length)])
        return self.memory[begin : begin + length]

    def forget(self, ranges: Iterable[Range]) -> None:
        """Free the memory of ranges that are not needed anymore; what is beside them on a page of memory stays."""
        with self._lock:
            for begin, length in ranges:
                start, stop = -(-begin // mmap.PAGESIZE), (begin + length) // mmap.PAGESIZE
                if start < stop:
                    self.memory.madvise(mmap.MADV_DONTNEED, start * mmap.PAGESIZE, (stop - start) * mmap.PAGESIZE)
                self._loaded = list(_without(self._loaded, begin, begin + length))
            self.used = sum(length for _, length in self._loaded)

    def _has(self, begin: int, length: int) -> bool:
        place = bisect_right(self._loaded, begin, key=itemgetter(0)) - 1
        return not length or (place >= 0 and begin + length <= sum(self._loaded[place]))

    def _read(self, part: Range) -> bytes:
        return self._fetch(self.key, *part)


def _without(ranges: Iterable[Range], start: int, stop: int) -> Iterator[Range]:
    """Yield ranges without what is between two places."""
    for begin, length in ranges:
        end = begin + length
        for first, last in ((begin, min(end, start)), (max(begin, stop), end)):
            if first < last:
                yield first, last - first


def _divided(ranges: Iterable[Range]) -> Iterator[Range]:
    """Yield ranges in parts of bounded size."""
    for begin, length in ranges:
        for start in range(begin, begin + length, _LARGEST_READ):
            yield start, min(_LARGEST_READ, begin + length - start)


def _united(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges in order, with those that touch or overlap as one."""
    found: list[Range] = []
    for begin, length in sorted(ranges):
        if found and begin <= sum(found[-1]):
            found[-1] = (found[-1][0], max(sum(found[-1]), begin + length) - found[-1][0])
        else:
            found.append((begin, length))
    return found


def joined(ranges: Sequence[Range], near: int) -> list[Range]:
    """Return sorted ranges, with those that are near each other as one."""
    found: list[Range] = []
    for begin, length in ranges:
        if not length:
            continue
        if found and begin <= sum(found[-1]) + near:
            start = found[-1][0]
            found[-1] = (start, max(sum(found[-1]), begin + length) - start)
        else:
            found.append((begin, length))
    return found
