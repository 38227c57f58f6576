"""MD5s of the parts of a large file, computed on another processor core while its SHA-256 is."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: The parts that servers require of all but gigantic files; for others, the MD5 is computed while a part is sent.
PART_BYTES = 16 * 1024 * 1024
_CHUNK = 1024 * 1024


@contextmanager
def part_digests(descriptor: int, size: int) -> Iterator[Mapping[int, bytes]]:
    """Yield the MD5s of parts by number, from 1 on: those of all whose turn came before the context ended."""
    found: dict[int, bytes] = {}
    ended = threading.Event()

    def work() -> None:
        buffer = memoryview(bytearray(_CHUNK))
        for number, start in enumerate(range(0, size, PART_BYTES), start=1):
            digest, place, end = hashlib.md5(usedforsecurity=False), start, min(start + PART_BYTES, size)
            while place < end:
                count = 0 if ended.is_set() else _read(descriptor, buffer[: end - place], place)
                if not count:
                    return
                digest.update(buffer[:count])
                place += count
            found[number] = digest.digest()

    thread = threading.Thread(target=work, name="part digests", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _read(descriptor: int, buffer: memoryview, place: int) -> int:
    try:
        return os.preadv(descriptor, [buffer], place)
    except OSError:  # who reads the whole file reports it
        return 0
