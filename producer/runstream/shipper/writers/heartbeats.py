"""The beat and the goodbye of a writer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runstream_schemas.events import Header, HeartbeatEvent, Kind

if TYPE_CHECKING:
    from runstream.shipper.delivery.route import Destination
    from runstream.shipper.writers.writer_tail import WriterTail


def beat_of(tail: WriterTail, where: Destination, number: int, *, preempting: bool) -> HeartbeatEvent:
    """Return the beat of a writer that lives; ``preempting``: it is about to be preempted."""
    return HeartbeatEvent(
        header=Header(
            kind=Kind.BEAT, run=where.run, writer=tail.info.writer, time=time.time_ns() // 1000, order=tail.next_order
        ),
        number=number,
        trainer_alive=True,
        interval_ms=int(1000 * where.connection.heartbeat_interval_s),
        pending=tail.pending(),
        host=tail.info.host,
        label=tail.info.label,
        preempting=preempting,
        decides=tail.decides,
        waits_for_all=tail.waits_for_all,
    )


def goodbye_of(tail: WriterTail, where: Destination) -> HeartbeatEvent:
    """Return the goodbye of a writer whose exit is acknowledged.

    Raises:
        RuntimeError: How it ended is not known.
    """
    if tail.exit is None:
        raise RuntimeError(f"{tail.label} has not ended")
    return HeartbeatEvent(
        header=Header(
            kind=Kind.GOODBYE, run=where.run, writer=tail.info.writer, time=tail.exit.time, order=tail.exit.order + 1
        ),
        host=tail.info.host,
        label=tail.info.label,
        ending=tail.exit.ending,
        decides=tail.decides,
        waits_for_all=tail.waits_for_all,
    )
