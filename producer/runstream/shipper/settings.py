"""Intervals, sizes and deadlines of the shipper, in one place and with units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipperSettings:
    """The shipper's settings; tests and benchmarks use other values."""

    #: Between two reads of the spool, while it is active and while it is idle.
    busy_poll_s: float = 0.04
    idle_poll_s: float = 0.12
    #: Time after the last record until the spool is regarded as idle.
    busy_s: float = 0.5
    #: Between two scans for new writers, updates of the control page, and saves of the ledger.
    housekeeping_s: float = 1.0
    #: Read from the spool but not acknowledged; bounds the memory.
    in_flight_bytes: int = 6 * MIB
    #: Read from one writer at a time.
    read_bytes: int = 256 * KIB
    #: Maximum rows in a block; None for the server's limit. For benchmarks of small blocks.
    block_rows: int | None = None
    #: Size of a batch of messages.
    batch_bytes: int = 1 * MIB
    #: Deadline of an acknowledgement; doubled after each failure, up to the longest.
    send_deadline_s: float = 10.0
    longest_send_deadline_s: float = 120.0
    #: To connect to the broker, and to disconnect.
    connect_deadline_s: float = 6.0
    discard_deadline_s: float = 1.0
    #: To request the brokers from the server.
    ask_deadline_s: float = 3.0
    #: To request the run's number from the server, and how long the end of delivery waits for it.
    number_deadline_s: float = 10.0
    number_patience_s: float = 20.0
    #: Between two attempts to connect.
    first_retry_s: float = 0.2
    longest_retry_s: float = 1.5
    #: Between two looks at a file that is uploaded whenever it changes (policy live).
    live_poll_s: float = 3.0
    #: Between two writes of ``report.json``.
    report_s: float = 2.0
    #: How long to wait for a server that does not answer, once every training process has ended.
    patience_s: float = 72 * 3600.0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ShipperSettings:
        """Return the settings of the environment: ``RUNSTREAM_SHIPPER_PATIENCE_S``. An invalid value is not used."""
        try:
            patience_s = float(environ.get("RUNSTREAM_SHIPPER_PATIENCE_S") or cls().patience_s)
        except ValueError:
            patience_s = cls().patience_s
        return cls(patience_s=patience_s) if patience_s >= 0 else cls()
