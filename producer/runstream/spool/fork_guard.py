"""A word that reads 0 in a forked child."""

from __future__ import annotations

import mmap
import os
import weakref

#: Linux: the page reads as zeros in a child. The mmap module does not name it.
_MADV_WIPEONFORK = 18


class ForkGuard:
    """Holds one number for this process alone: in a child of a fork, however it came about, the number is 0.

    The kernel wipes the page, which costs the reader nothing, sees forks made behind Python's back, and cannot be
    mistaken when a pid comes round again. Where the kernel cannot, Python's own fork hook does it.
    """

    def __init__(self) -> None:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        #: The number is ``word[0]``.
        self.word = memoryview(page).cast("Q")
        try:
            page.madvise(_MADV_WIPEONFORK)
        except (OSError, ValueError):
            word = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _wipe(word))


def _wipe(guard: weakref.ref[ForkGuard]) -> None:
    if (alive := guard()) is not None:
        alive.word[0] = 0
