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
    """Folds the process's own spool when it is looked at; nothing is done while rows are logged. Safe with threads.

    Args:
        folder: The writer's folder.
        writer_id: Id of the writer.
        role: What it is in the run.
    """

    def __init__(self, folder: Path, writer_id: bytes, role: Role) -> None:
        self._folder = folder
        self._writer = Writer(id=writer_id, role=role)
        self._parent: LocalSummary | None = None
        self._seed: SummaryState | None = None
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        #: The thread that reads, 0 for none.
        self._reading = 0
        self._fold: SpoolSummary | None = None
        self._shown: dict[str, Any] = {}
        self._shown_at = -1

    def seed(self, folds: Mapping[str, Any], continues: Iterable[bytes]) -> None:
        """Begin with what the server knows of the run.

        Args:
            folds: What the API serves at ``/folds``.
            continues: The writers that this one continues: what was set by hand in them gives way to its rows.

        Raises:
            MalformedEvent: The server says it in a way that this release does not read.
        """
        from runstream.assembly.spool_summary import RUN  # noqa: PLC0415
        from runstream_schemas.summary_algebra.state_codec import decode_state  # noqa: PLC0415

        known = decode_state(RUN, folds)
        self._writer = Writer(id=self._writer.id, role=self._writer.role, continues=tuple(continues))
        known.continues[self._writer.id] = frozenset(self._writer.continues)
        self._seed = known
        self._begin()

    def logged(self) -> Iterator[tuple[Sequence[str], int, Any]]:
        """Yield path, step and value of what was logged last of each key, as the server knew at the start."""
        for path, fold in self._seed.keys.items() if self._seed is not None else ():
            if fold.last is not None:
                yield path, fold.last.tag[0], fold.last.value

    def forked_from(self, parent: LocalSummary) -> None:
        """Begin, in a forked child, with what its parent knows when the child first looks."""
        self._parent = parent

    def values(self, order: int, *, ended: bool = False) -> dict[str, Any]:
        """Return the summary, not to be changed.

        Args:
            order: How many appends the process has made.
            ended: It makes no more: the row that is open counts, too.
        """
        from runstream_schemas.summary_algebra.projection import summary_of  # noqa: PLC0415

        if os.getpid() != self._pid:  # another thread may have been in here when the process was forked
            self._begin()
        if self._reading == threading.get_ident():
            return self._shown  # a signal handler of this thread, which is in the midst of it
        with self._lock:
            self._reading = threading.get_ident()
            try:
                if ended or order != self._shown_at:
                    self._shown = summary_of(self._folded(ended=ended))
                    self._shown_at = order
            except BaseException:
                self._begin_again()  # an interrupt may have come between reading rows and folding them
                raise
            finally:
                self._reading = 0
            return self._shown

    def _begin_again(self) -> None:
        if self._fold is not None:
            self._fold.close()
            self._fold = None

    def _folded(self, *, ended: bool = False) -> SummaryState:
        """Return the fold of all that was appended so far."""
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
