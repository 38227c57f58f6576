"""What ``finish()`` must not wait for: the ends of processes, for which the shipper waits after it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.control_page import ControlPage, Word
from runstream_schemas.events import Role


@dataclass(slots=True)
class AwaitedEnds:
    """Whether only the ends of processes are missing.

    They are that of the process that called ``finish()``, and those of forked children that live on: what these have
    recorded by then is delivered.
    """

    control: ControlPage
    #: By writer, the records that were sent when finish() was called, and that it waits for.
    _goals: dict[bytes, int] = field(default_factory=dict)

    def update(self, tails: Collection[WriterTail], *, caught_up: bool) -> bool:
        """Return whether nothing else is missing; ``caught_up``: the last turn has read everything recorded."""
        if not self._goals and self.control[Word.FINISH_REQUESTED] and caught_up:
            self._goals = {tail.info.id: tail.sent for tail in tails}
        ready = all(tail.account.closed or tail.awaits_end or self._lives_on(tail) for tail in tails)
        return ready and not all(tail.account.closed for tail in tails)

    def _lives_on(self, tail: WriterTail) -> bool:
        """Whether a forked child is running, and what it had recorded when ``finish()`` was called is delivered."""
        is_child = tail.info.role is Role.CHILD and tail.running
        return is_child and bool(self._goals) and tail.account.records >= self._goals.get(tail.info.id, 0)
