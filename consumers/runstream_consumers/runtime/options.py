"""Sizes and intervals of the consume loop, in one place so that tests can pass others."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the loop fetches, batches and waits; in seconds and bytes."""

    #: Workers, each with a database connection and a share of the partitions: one decodes while another waits for
    #: the database.
    workers: int = 2
    #: Largest batch of one transaction.
    batch_events: int = 4_000
    batch_bytes: int = 8 * _MIB
    #: CPU seconds that decoding the messages of one run, and of all runs, may use in a batch. After that, the further
    #: messages of the run, or large ones of any run, are deferred. They are applied in turns, which take at most the
    #: given share of the time while other messages wait.
    run_seconds: float = 0.3
    batch_seconds: float = 0.6
    large_message: int = 64 * 1024
    deferred_share: float = 0.25
    #: Deferred messages of a partition number; beyond this size, no others are read.
    deferred_bytes: int = 1024 * _MIB
    #: Messages held in memory; enough for the longest wait for the broker at full speed.
    buffer_bytes: int = 24 * _MIB
    #: How long the broker may delay the answer to a fetch if there is nothing new. Messages for partitions that were
    #: not part of the request wait for its end, so keep it short.
    fetch_wait: float = 0.5
    fetch_partition_bytes: int = 4 * _MIB
    fetch_bytes: int = 16 * _MIB
    session_timeout: float = 10.0
    heartbeat_interval: float = 3.0
    #: Longest wait for a single answer of a broker.
    request_timeout: float = 15.0
    #: Pause after the first failure of a server, and the longest pause; it doubles in between, with jitter.
    initial_backoff: float = 0.2
    max_backoff: float = 10.0
    #: Interval at which offsets are committed to Kafka, where they only serve to display the group's lag.
    lag_commit_interval: float = 5.0
    watchdog_interval: float = 15.0
    watchdog_timeout: float = 60.0
    #: How long the topics may be missing after the start.
    topics_timeout: float = 60.0
    #: How long a log may end before the stored offset, for example after a leader election, before it is considered
    #: to have been created again.
    recreated_timeout: float = 5.0
    #: Connections for background work, for all partitions of a process.
    background_connections: int = 2
    #: Messages that a dry run reads per partition number.
    dry_run_messages: int = 10_000
    #: Unexpected exceptions stop the consumer once they affect at least ``breaker_runs`` runs within
    #: ``breaker_window`` seconds, and at least ``breaker_share`` of all runs whose messages were applied in that time.
    breaker_window: float = 600.0
    breaker_runs: int = 3
    breaker_share: float = 0.5
    #: How long closing the connection to Kafka may take.
    close_timeout: float = 3.0


DEFAULT_OPTIONS = Options()
