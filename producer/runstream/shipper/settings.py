"""Intervals, sizes and deadlines of the shipper, in one place and with units."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipperSettings:
    """How the shipper works; tests and benchmarks pass other values."""

    #: Between two looks at the spool while something is going on, and while nothing is.
    busy_poll_s: float = 0.04
    idle_poll_s: float = 0.12
    #: So long after the last record the spool counts as idle.
    busy_s: float = 0.5
    #: Between two looks for new writers, signs of life and saves of the ledger.
    housekeeping_s: float = 1.0
    #: Read from the spool but not acknowledged; bounds the memory.
    in_flight_bytes: int = 6 * MIB
    #: Read from one writer at once.
    read_bytes: int = 256 * KIB
    #: Rows in a block at most; None: as the server says. For benchmarks of small blocks.
    block_rows: int | None = None
    #: A batch of messages on its way to the broker.
    batch_bytes: int = 1 * MIB
    #: Until an acknowledgement must have come; doubled after each failure, up to the longest.
    send_deadline_s: float = 10.0
    longest_send_deadline_s: float = 120.0
    #: To connect to the broker, and to let go of it.
    connect_deadline_s: float = 6.0
    discard_deadline_s: float = 1.0
    #: To ask the server for its brokers.
    ask_deadline_s: float = 3.0
    #: To ask the server for the run's number, and how long the end of delivery waits for it.
    number_deadline_s: float = 10.0
    number_patience_s: float = 20.0
    #: Between two attempts to connect.
    first_retry_s: float = 0.2
    longest_retry_s: float = 1.5
    #: Between two writes of ``report.json``.
    report_s: float = 2.0
    #: Once every trainer has ended, how long to wait for a server that never answers.
    patience_s: float = 24 * 3600.0
