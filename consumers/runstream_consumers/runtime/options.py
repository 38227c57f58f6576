"""Sizes and intervals of the loop, in one place so that tests and tuning pass others."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the loop fetches, batches and waits; seconds and bytes."""

    #: Connections, each with a share of the partitions: while one waits for the database, another decodes.
    workers: int = 2
    #: Largest batch of one transaction.
    batch_events: int = 2_000
    batch_bytes: int = 8 * _MIB
    #: Messages held in memory; covers the longest wait for the broker at full speed.
    buffer_bytes: int = 24 * _MIB
    #: How long the broker may hold a fetch when there is nothing new. While it does, a partition whose messages were
    #: not in that request waits, hence not longer.
    fetch_wait: float = 0.5
    fetch_partition_bytes: int = 4 * _MIB
    fetch_bytes: int = 16 * _MIB
    session_timeout: float = 10.0
    heartbeat_interval: float = 3.0
    #: Longest wait for any single answer of a broker.
    request_timeout: float = 15.0
    #: Pause after the first failure of a server, and the longest one; between them it doubles, with jitter.
    initial_backoff: float = 0.2
    max_backoff: float = 10.0
    #: Interval in which Kafka is told the offsets, for whoever looks at the group's lag.
    lag_commit_interval: float = 5.0
    watchdog_interval: float = 15.0
    watchdog_timeout: float = 60.0
    #: How long the topics may be missing at the start.
    topics_timeout: float = 60.0
    #: How long a log may end before the stored offset, as just after an election, until it counts as made anew.
    recreated_timeout: float = 5.0
    #: Connections for background work, for all partitions of a process.
    background_connections: int = 2
    #: Messages that a dry run reads of a partition number.
    dry_run_messages: int = 10_000
    #: How long the end may take.
    close_timeout: float = 3.0


DEFAULT_OPTIONS = Options()
