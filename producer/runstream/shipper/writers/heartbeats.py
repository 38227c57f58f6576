"""The events of topic heartbeat: the beats and the goodbye of a writer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from runstream.shipper.transport.route import Destination
from runstream.shipper.writers.writer_tail import WriterTail
from runstream_schemas.events import Header, HeartbeatEvent, Kind


class Beats:
    """Creates and numbers beats.

    The numbers must continue where a shipper that was killed stopped, since consumers ignore a number that they have
    seen. So they follow the milliseconds since boot: the training process started in the same boot.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def due(self, tails: Iterable[WriterTail], where: Destination, *, preempting: bool) -> Iterator[HeartbeatEvent]:
        """Yield the beats of the writers that are running, and send beats according to the ledger.

        ``preempting`` if their processes are about to be preempted.
        """
        for tail in tails:
            account = tail.account
            if not tail.is_trainer or tail.dead or account.exit_acked or account.closed:
                continue
            if account.beats and account.beats_saved:
                since_boot = time.monotonic_ns() // 1_000_000
                number = self._numbers[tail.info.id] = max(self._numbers.get(tail.info.id, 0) + 1, since_boot)
                yield replace(
                    _event(Kind.BEAT, tail, where, time.time_ns() // 1000, tail.next_order),
                    number=number,
                    trainer_alive=True,
                    interval_ms=int(1000 * where.connection.heartbeat_interval_s),
                    pending=tail.pending(),
                    preempting=preempting,
                )


def create_goodbye(tail: WriterTail, where: Destination) -> HeartbeatEvent:
    """Return the goodbye of a writer whose exit is acknowledged."""
    if tail.exit is None:
        raise RuntimeError(f"No goodbye for {tail.label}: the writer has not ended")
    return replace(_event(Kind.GOODBYE, tail, where, tail.exit.time, tail.exit.order + 1), ending=tail.exit.ending)


def _event(kind: Kind, tail: WriterTail, where: Destination, now: int, order: int) -> HeartbeatEvent:
    return HeartbeatEvent(
        header=Header(kind=kind, run=where.run, writer=tail.info.writer, time=now, order=order),
        host=tail.info.host,
        label=tail.info.label,
        decides=tail.decides,
        waits_for_all=tail.run.waits_for_all,
    )
