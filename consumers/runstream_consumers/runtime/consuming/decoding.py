"""The messages of a batch: decoded, rejected, or deferred because their run has used its share of the time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from uuid import UUID

from runstream_consumers.runtime.faults import is_data_error, is_message_error
from runstream_consumers.runtime.kafka.messages import Message, receive, run_of
from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.runtime.postgres.store import Deferred, Rejected, Waiting
from runstream_consumers.runtime.progress.shares import Shares
from runstream_schemas.topics import RunPath, Topic


@dataclass(slots=True)
class DecodedBatch:
    """Messages that are applied, rejected or deferred in one transaction."""

    partitions: int
    shares: Shares
    #: Runs with messages that were deferred before: their further messages wait as well, so that they stay in order.
    waiting: Mapping[UUID, Waiting]
    next_offsets: dict[str, int] = field(default_factory=dict)
    messages: dict[tuple[Topic, int], Message] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)
    #: The run whose deferred messages are applied, and their ids.
    turn: UUID | None = None
    settled: list[int] = field(default_factory=list)
    settled_bytes: int = 0
    #: The last message of each run that failed with an unexpected exception.
    unexpected: dict[UUID, Rejected] = field(default_factory=dict)
    _newly_deferred: set[UUID] = field(default_factory=set)
    #: Up to when the CPU time of the thread was charged.
    _charged: float = field(default_factory=time.thread_time)

    def resume(self) -> None:
        """Charge no run for the time since the last message: other tasks used it."""
        self._charged = time.thread_time()

    def add(self, message: Message) -> None:
        """Decode a message, unless it has to wait or its content was removed."""
        if message.is_purged:
            return
        if (self.waiting or self.shares.is_exceeded) and (run := self._run_that_waits(message)) is not None:
            self._newly_deferred.add(run)
            item = Deferred(run, message.topic_name, message.offset, message.append_time, message.value or b"")
            self.deferred.append(item)
        else:
            self.decode(message)

    def decode(self, message: Message) -> None:
        """Decode a message, whose time counts for its run."""
        try:
            received = receive(message, self.partitions)
        except Exception as error:
            if not is_message_error(error):
                raise
            # The run of a message without a valid head is not known: its partition counts as one.
            run = run_of(message) or RunPath(entity=message.topic_name, project="", run_id=str(message.partition))
            self.rejected.append(self.reject(message, "decode", run, error))
        else:
            run = received.event.run
            self.received.append(received)
            self.messages[message.topic, message.offset] = message
        now = time.thread_time()
        self.shares.charge(run, now - self._charged)
        self._charged = now

    def order_by_time(self) -> None:
        """Put the events in the order in which the brokers received them; those of a topic stay in their order.

        No consumer may depend on the order of topics, but what happened on the way is seen as it happened.
        """
        by_topic = [list(own) for _, own in groupby(self.received, key=lambda one: one.topic)]
        if len(by_topic) > 1:
            self.received = list(merge(*by_topic, key=lambda one: one.append_time))

    def reject(self, message: Message, stage: str, run: RunPath, error: Exception) -> Rejected:
        """Return the message for the quarantine; remember it if the error is unexpected."""
        key = run_key(run)
        rejected = message.rejected(stage, key, error)
        if not is_data_error(error):
            self.unexpected[key] = rejected
        return rejected

    def _run_that_waits(self, message: Message) -> UUID | None:
        """Return the run whose message has to wait; None if it has its turn."""
        # Beats are compared with the ticks around them, so they are never deferred.
        if message.topic is Topic.HEARTBEAT or (run := run_of(message)) is None:
            return None
        key = run_key(run)
        waits = key in self.waiting or key in self._newly_deferred or self.shares.must_wait(run, message.size)
        return key if waits else None
