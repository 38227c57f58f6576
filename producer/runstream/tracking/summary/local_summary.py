"""The summary as the training process knows it: what the server had at the start, and what the process appended.

The summary algebra is imported when a summary is read: it imports numpy, which takes a third of the time of init().
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from runstream_schemas.events import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runstream.assembly.spool_summary import SpoolSummary
    from runstream_schemas.events import Role
    from runstream_schemas.summary_algebra.summary_state import SummaryState


class LocalSummary:
    """Folds the spool of the process when the summary is read, never while rows are logged. Safe with threads."""

    def __init__(self, folder: Path, writer_id: bytes, role: Role) -> None:
        self._folder = folder
        self._writer = Writer(id=writer_id, role=role)
        self._parent: LocalSummary | None = None
        self._seed: SummaryState | None = None
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        # Reentrant: a signal handler that reads may interrupt this thread while it holds the lock.
        self._lock = threading.RLock()
        #: Id of the thread that reads, 0 for none.
        self._reading = 0
        self._fold: SpoolSummary | None = None
        self._shown: dict[str, Any] = {}
        self._shown_at = -1

    def seed(self, folds: Mapping[str, Any], continues: Iterable[bytes]) -> None:
        """Start with the summary state of the server, as the API returns it; raises MalformedEvent.

        The rows of this writer override the assignments of the writers that it continues.
        """
        from runstream.assembly.spool_summary import RUN  # noqa: PLC0415
        from runstream_schemas.summary_algebra.state_codec import decode_state  # noqa: PLC0415

        known = decode_state(RUN, folds)
        self._writer = Writer(id=self._writer.id, role=self._writer.role, continues=tuple(continues))
        known.continues[self._writer.id] = frozenset(self._writer.continues)
        self._seed = known
        self._begin()

    def logged(self) -> Iterator[tuple[Sequence[str], int, Any]]:
        """Yield path, step and last value of each key, as the server had them at the start."""
        for path, fold in self._seed.keys.items() if self._seed is not None else ():
            if fold.last is not None:
                yield path, fold.last.tag[0], fold.last.value

    def forked_from(self, parent: LocalSummary) -> None:
        """Start, in a forked child, with the summary of the parent as of the first read."""
        self._parent = parent

    def values(self, order: int, *, ended: bool = False) -> dict[str, Any]:
        """Return the summary, which must not be changed, after so many appends of the process (``order``).

        If ``ended`` there are no more appends: an open row is included.
        """
        from runstream_schemas.summary_algebra.projection import summary_of  # noqa: PLC0415

        if os.getpid() != self._pid:  # another thread may have been reading at the fork
            self._begin()
        if self._reading == threading.get_ident():
            return self._shown  # in a signal handler that interrupted a read of this thread
        with self._lock:
            self._reading = threading.get_ident()
            try:
                if ended or order != self._shown_at:
                    self._shown = summary_of(self._folded(ended=ended))
                    self._shown_at = order
            except BaseException:  # an interrupt may have come between reading and folding rows
                if self._fold is not None:
                    self._fold.close()
                    self._fold = None
                raise
            finally:
                self._reading = 0
            return self._shown

    def _folded(self, *, ended: bool = False) -> SummaryState:
        """Return the summary state of everything appended so far."""
        if self._fold is None:
            from runstream.assembly.spool_summary import SpoolSummary  # noqa: PLC0415

            if self._parent is not None:
                self._parent._begin()  # noqa: SLF001 - of this class
                self._seed = self._parent._folded()  # noqa: SLF001
            self._fold = SpoolSummary(self._folder, self._writer, self._seed)
        if ended:
            self._fold.end()
        else:
            self._fold.advance()
        return self._fold.fold
