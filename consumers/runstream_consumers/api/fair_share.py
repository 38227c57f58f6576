"""Shares the capacity for costly reads among clients and runs, so that one page does not make all others wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from runstream_consumers.api.problems import Unavailable

#: Reads that run at once, fewer than there are database connections and as many as there are worker threads.
_AT_ONCE = 4
#: Of these, reads of one run: the others remain for other runs.
_OF_ONE_RUN = 2
#: Reads of one client that may wait.
_WAITING = 200
#: Seconds after which a waiting read is refused.
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    client: str
    run: object
    starts: asyncio.Future[None] = field(default_factory=asyncio.Future)


class FairShare:
    """Admits reads; of those that wait, one of the client and the run with the fewest running reads comes first."""

    def __init__(
        self, *, at_once: int = _AT_ONCE, of_one_run: int = _OF_ONE_RUN, patience_s: float = _PATIENCE_S
    ) -> None:
        self._free = at_once
        self._of_one_run = of_one_run
        self._patience_s = patience_s
        self._waiting: list[_Read] = []
        self._running: Counter[object] = Counter()

    @asynccontextmanager
    async def read(self, client: str, run: object) -> AsyncIterator[None]:
        """Wait until a read may run, and count it as running until the block ends.

        Raises Unavailable if the client has too many waiting reads, or waited too long.
        """
        read = _Read(client, (client, run))
        if sum(one.client == client for one in self._waiting) >= _WAITING:
            raise Unavailable("too_many_reads", f"{_WAITING} reads of this client are waiting already; retry later.")
        self._waiting.append(read)
        self._admit()
        try:
            async with asyncio.timeout(self._patience_s):
                await read.starts
        except TimeoutError:
            raise Unavailable("too_many_reads", "Other reads of this client took too long; retry later.") from None
        else:
            yield
        finally:
            self._end(read)

    def _admit(self) -> None:
        while self._free and (ready := [one for one in self._waiting if self._may_start(one)]):
            # Of equals, the one that has waited longest, since min() returns the first.
            first = min(ready, key=lambda one: (self._running[one.client], self._running[one.run]))
            self._waiting.remove(first)
            self._free -= 1
            self._running.update([first.client, first.run])
            first.starts.set_result(None)

    def _may_start(self, read: _Read) -> bool:
        return self._running[read.run] < self._of_one_run and not read.starts.done()

    def _end(self, read: _Read) -> None:
        if read in self._waiting:
            self._waiting.remove(read)
            return
        self._free += 1
        self._running.subtract([read.client, read.run])
        self._running += Counter()  # removes those with none
        self._admit()
