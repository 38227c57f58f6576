"""The pool in which contents are kept before it is known to which run they will be logged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runstream.files.pool import WORTH_A_FILE, PooledFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream.files.pool import StagingPool


class ActivePool:
    """The pool of the run that began last, if it is still active."""

    def __init__(self) -> None:
        self._pools: list[StagingPool] = []
        self._registered = False

    def begin(self, pool: StagingPool) -> None:
        """Keep large contents in a pool from now on."""
        self._pools.append(pool)
        if not self._registered:
            self._registered = True
            os.register_at_fork(after_in_parent=self._note_fork)

    def end(self, pool: StagingPool) -> None:
        """Release a pool at the end of its run."""
        if pool in self._pools:
            self._pools.remove(pool)
        pool.end()

    def keep(self, size: int, pieces: Iterable[Any]) -> PooledFile | None:
        """Keep a copy of so many bytes in a file; None if they are few, without an active run, or on a full disk."""
        if size < WORTH_A_FILE or not self._pools:
            return None
        try:
            return self._pools[-1].keep(size, pieces)
        except OSError:
            return None

    def _note_fork(self) -> None:
        for pool in self._pools:
            pool.note_fork()


#: Of this process.
ACTIVE_POOL = ActivePool()
