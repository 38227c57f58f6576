"""One consumer's work on one partition number: from messages to a committed transaction, each effect exactly once.

Every effect of a message is in the transaction that moves the stored offset past it. A worker that has lost its
partition without noticing can therefore only fail the comparison of offsets, and after a commit whose answer was lost,
the stored offsets show whether it happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from runstream_consumers.runtime.consuming.background import Background
from runstream_consumers.runtime.consuming.decoding import DecodedBatch
from runstream_consumers.runtime.consuming.deletion import remaining
from runstream_consumers.runtime.consuming.trimming import trim
from runstream_consumers.runtime.exceptions import RepeatedFailures, TopicRecreated
from runstream_consumers.runtime.faults import is_message_error
from runstream_consumers.runtime.kafka.messages import Message, writer_of
from runstream_consumers.runtime.plugin import Batch, Connection, Consumer, Context, Partition, Received
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.runtime.postgres.store import SinkStore, StoredOffset, Waiting, WriterKey
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.progress.offsets import Drop, Gap, Keep, plan
from runstream_consumers.runtime.progress.shares import ShareLimits, Shares
from runstream_consumers.runtime.progress.spans import UNTOUCHED, Progress, Span
from runstream_schemas.exceptions import LimitExceeded
from runstream_schemas.topics import RunPath, topic_name

log = logging.getLogger(__name__)

#: Applies events; returns the errors of those that failed, by index.
_Apply = Callable[["Connection", "_Memory", "Sequence[Received]"], Awaitable[dict[int, Exception]]]

#: Messages decoded before other tasks run, and the most deferred messages that are read at once.
_DECODED_AT_ONCE = 100
#: The size of the deferred messages that are read at once, bytes.
_TURN_BYTES = 1024 * 1024
#: Writers whose progress is kept in memory.
_WRITERS_IN_MEMORY = 50_000
#: Events of a run in a batch that are found to fail one by one.
_FAILURES_OF_A_RUN = 10
_SET_ASIDE = (
    f"set aside without an attempt: {_FAILURES_OF_A_RUN} other events of the run failed in the same batch. Redrive the"
    " quarantine to apply it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """Where a batch and the stored offsets did not meet."""

    #: Where Kafka's client must continue to read, by topic name, if its position is another one.
    seeks: Mapping[str, int]
    #: Offsets that were not received, by topic name.
    gaps: Mapping[str, Span]


@dataclass(slots=True)
class _Memory:
    """What is only valid while the stored offsets are the expected ones."""

    expected: dict[str, StoredOffset]
    partition: Partition
    #: What is deferred, by run, those whose turn is next first.
    waiting: dict[UUID, Waiting] = field(default_factory=dict)
    progress: dict[WriterKey, Progress] = field(default_factory=dict)
    #: The runs of the partition that were deleted.
    deleted: frozenset[UUID] = frozenset()

    @property
    def next_offsets(self) -> dict[str, int]:
        return {name: row.next for name, row in self.expected.items()}

    def follow(self, work: DecodedBatch) -> None:
        """Note that a batch was committed."""
        for name, offset in work.next_offsets.items():
            self.expected[name] = replace(self.expected[name], next=offset)
        for item in work.deferred:
            self.waiting[item.run] = self.waiting.get(item.run, Waiting()).changed(1, len(item.raw))
        if work.turn is not None:
            left = self.waiting.pop(work.turn).changed(-len(work.settled), -work.settled_bytes)
            if left.messages:
                self.waiting[work.turn] = left
            self.expected = {name: replace(row, redrives=row.redrives + 1) for name, row in self.expected.items()}


class Sink:
    """Applies messages of one partition number; used by one task at a time."""

    def __init__(
        self,
        consumer: Consumer,
        number: int,
        context: Context,
        *,
        breaker: CircuitBreaker,
        shares: ShareLimits = ShareLimits(),  # noqa: B008 - immutable
        runs_background: bool = True,
    ) -> None:
        self._consumer = consumer
        self._number = number
        self._context = context
        self._breaker = breaker
        self._shares = shares
        self._topics = {topic_name(context.prefix, topic): topic for topic in consumer.topics}
        self._store = SinkStore(sink=context.name, partition=number, topics=sorted(self._topics))
        self._memory: _Memory | None = None
        self._background = Background(f"{context.name}[{number}] background", enabled=runs_background)

    @property
    def next_offsets(self) -> dict[str, int]:
        """The next offset of each topic; empty while nothing is in memory."""
        return {} if self._memory is None else self._memory.next_offsets

    @property
    def deferred_bytes(self) -> int:
        """The size of the messages that wait for the turn of their runs; 0 while nothing is in memory."""
        return 0 if self._memory is None else sum(waiting.bytes for waiting in self._memory.waiting.values())

    def forget(self) -> None:
        """Discard the memory: after an error, or when another process may have moved the offsets."""
        self._memory = None
        self._background.cancel()

    async def close(self) -> None:
        """Discard the memory, end the background work, and wait for its end."""
        self._memory = None
        await self._background.stop()

    async def open(
        self, connection: Connection, log_starts: Mapping[str, int], log_ends: Mapping[str, int]
    ) -> dict[str, int]:
        """Return where to read each topic from; record offsets that were deleted before they were read.

        Raises TopicRecreated if a log ends before what was stored from it.
        """
        self.forget()
        async with connection.transaction():
            # A new sink begins at the starts: messages deleted before it existed are not a loss.
            await self._store.make_offsets(connection, log_starts)
            stored = await self._store.lock_offsets(connection)
            for name, row in stored.items():
                start, end = log_starts[name], log_ends[name]
                if row.next > end:
                    raise TopicRecreated(
                        f"{name}[{self._number}] ends at {end}, but {self._context.name} has stored it up to"
                        f" {row.next}: the topic was created again or lost its tail. Rebuild the consumer's tables"
                    )
                if row.next < start:
                    await self._record_loss(connection, name, (row.next, start), "deleted before it was read")
        return (await self._load_memory(connection)).next_offsets

    async def skip(self, connection: Connection, name: str, lost: Span, reason: str) -> None:
        """Record offsets as lost and continue after them, unless another process has moved the offset."""
        self.forget()
        async with connection.transaction():
            stored = await self._store.lock_offsets(connection)
            if stored[name].next == lost[0]:
                await self._record_loss(connection, name, lost, reason)
        await self._load_memory(connection)

    async def apply_batch(self, connection: Connection, batch: Mapping[str, Sequence[Message]]) -> BatchResult:
        """Apply the messages of each topic, whose offsets ascend; each record is applied exactly once, ever.

        After an error of the infrastructure the batch may have been committed or not. Pass it again after
        :meth:`forget`, on a new connection. Raises RepeatedFailures if the circuit breaker opens.
        """
        seeks: dict[str, int] = {}
        while True:
            memory = self._memory or await self._load_memory(connection)
            plans = {name: plan(memory.expected[name].next, [m.offset for m in batch[name]]) for name in batch}
            work = await self._decode(memory, batch, plans)
            if not work.next_offsets or await self._commit(connection, memory, work):
                seeks |= {name: p.seek for name, p in plans.items() if isinstance(p, Drop) and p.seek is not None}
                return BatchResult(
                    seeks=seeks,
                    gaps={name: p.missing for name, p in plans.items() if isinstance(p, Gap)},
                )
            log.info("%s[%d]: another process moved the offsets; loading again", self._context.name, self._number)
            self.forget()
            # The topics without messages in this batch were moved, too, if the tables are rebuilt.
            moved = await self._load_memory(connection)
            seeks = {name: offset for name, offset in moved.next_offsets.items() if name not in batch}

    async def apply_deferred(self, connection: Connection) -> None:
        """Apply deferred messages of the run whose turn it is, until its share of the time is used.

        Errors are as those of :meth:`apply_batch`.
        """
        while (memory := self._memory or await self._load_memory(connection)).waiting:
            run = next(iter(memory.waiting))
            rows = await self._store.take_deferred(connection, run, messages=_DECODED_AT_ONCE, size=_TURN_BYTES)
            work = DecodedBatch(self._context.partitions, Shares(self._shares), {}, turn=run)
            for row in rows:
                if work.shares.is_exceeded:
                    break
                name = row["topic"]
                work.decode(
                    Message(self._topics[name], name, self._number, row["offset"], row["append_time"], row["raw"])
                )
                work.settled.append(row["id"])
                work.settled_bytes += len(row["raw"])
            if await self._commit(connection, memory, work):
                return
            self.forget()

    async def _load_memory(self, connection: Connection) -> _Memory:
        async with connection.transaction():
            expected = await self._store.lock_offsets(connection)
            waiting = await self._store.load_deferred(connection)
            memory = _Memory(expected, await self._new_partition(connection), waiting)
            memory.deleted = await self._store.load_deleted_runs(connection)
        self._memory = memory
        self._background.start(memory.partition.background)
        return memory

    async def _new_partition(self, connection: Connection) -> Partition:
        partition = self._consumer.partition(self._number, self._context)
        await partition.load(connection)
        return partition

    async def _record_loss(self, connection: Connection, name: str, lost: Span, reason: str) -> None:
        log.error("%s[%d]: offsets %d to %d are lost: %s", name, self._number, lost[0], lost[1] - 1, reason)
        await self._store.add_loss(connection, name, lost, reason)
        await self._store.move_offsets(connection, {name: lost[1]})

    async def _decode(
        self, memory: _Memory, batch: Mapping[str, Sequence[Message]], plans: Mapping[str, Keep | Drop | Gap]
    ) -> DecodedBatch:
        work = DecodedBatch(self._context.partitions, Shares(self._shares), memory.waiting)
        for name, decision in plans.items():
            if not isinstance(decision, Keep):
                continue
            work.next_offsets[name] = decision.next
            for index, message in enumerate(batch[name][decision.start : decision.stop]):
                work.add(message)
                if index % _DECODED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                    work.resume()
        work.order_by_time()
        return work

    async def _commit(self, connection: Connection, memory: _Memory, work: DecodedBatch) -> bool:
        """Store a batch; return False if the stored offsets are not the expected ones, and nothing was done."""
        try:
            try:
                return await self._transact(connection, memory, work, self._apply)
            except Exception as error:
                if connection.is_closed() or not is_message_error(error):
                    raise
                log.warning(
                    "%s[%d]: applying the events of a batch separately: %r", self._context.name, self._number, error
                )
            return await self._transact(connection, await self._load_memory(connection), work, self._apply_by_halves)
        except RepeatedFailures:
            # The batch was rolled back; its failures are stored nevertheless, so that they count after a restart.
            await self._store.save_failing(connection, work.unexpected)
            raise

    async def _transact(self, connection: Connection, memory: _Memory, work: DecodedBatch, apply: _Apply) -> bool:
        async with connection.transaction():
            if await self._store.lock_offsets(connection) != memory.expected:
                return False
            left = remaining(memory.deleted, work.received, some_known=bool(memory.deleted))
            await self._load_progress(connection, memory, left.events)
            fresh = trim(memory.progress, left.events)
            failed = await apply(connection, memory, fresh.events)
            progress = fresh.progress if not failed else fresh.progress_without(memory.progress, failed)
            await self._store.save_progress(connection, progress)
            await self._store.add_lost(connection, fresh.lost_without(failed))
            failures = [*fresh.refused, *((fresh.events[index], error) for index, error in failed.items())]
            rejected = work.rejected + [
                work.reject(work.messages[item.topic, item.offset], "apply", item.event.run, error)
                for item, error in failures
            ]
            await self._check_failures(connection, work, fresh.events, failed)
            await self._store.quarantine(connection, rejected)
            await self._store.defer(connection, work.deferred)
            if work.turn is not None:
                await self._store.settle_deferred(connection, work.turn, work.settled)
            await self._store.move_offsets(connection, work.next_offsets)
            await self._store.delete_runs(connection, left.deleted, left.dropped)
        if left.deleted:
            self.forget()  # The partition may have them in memory.
            return True
        memory.progress.update(progress)
        memory.follow(work)
        if rejected:
            log.error("%s: %d messages quarantined, the first: %s", self._context.name, len(rejected), rejected[0])
        return True

    async def _check_failures(
        self, connection: Connection, work: DecodedBatch, events: Sequence[Received], failed: Mapping[int, Exception]
    ) -> None:
        """Raise RepeatedFailures if the unexpected exceptions of this and of earlier batches affect too many runs."""
        now = asyncio.get_running_loop().time()
        applied = {run_key(item.event.run) for index, item in enumerate(events) if index not in failed}
        self._breaker.record_applied(now, applied - work.unexpected.keys())
        if not work.unexpected:
            return
        ages = await self._store.load_failing(connection)
        failures = {run: now - age for run, age in ages.items()} | dict.fromkeys(work.unexpected, now)
        if runs := self._breaker.open_for(now, failures):
            raise RepeatedFailures(
                f"Messages of {len(runs)} runs failed within {self._breaker.window:.0f} s, {len(failed)} of them in the"
                f" last batch, which points to a bug in consumer {self._context.name} rather than in the messages."
                f" Example: {next(iter(work.unexpected.values()))}. The batch was rolled back and nothing of it was"
                " quarantined. Fix the consumer or return to its previous release, then start it again: it continues at"
                " the same offsets"
            )
        await self._store.save_failing(connection, work.unexpected)
        await self._store.forget_failing(connection, self._breaker.window)

    async def _load_progress(self, connection: Connection, memory: _Memory, received: Sequence[Received]) -> None:
        """Load the progress of the batch's writers into memory."""
        if len(memory.progress) > _WRITERS_IN_MEMORY:
            memory.progress.clear()
        keys = {key for item in received if (key := writer_of(item.event)) is not None} - memory.progress.keys()
        if keys:
            memory.progress |= dict.fromkeys(keys, UNTOUCHED)
            memory.progress |= await self._store.load_progress(connection, list(keys))

    async def _apply(self, connection: Connection, memory: _Memory, events: Sequence[Received]) -> dict[int, Exception]:
        if events:
            await memory.partition.apply(connection, Batch(partition=self._number, events=events))
        return {}

    async def _apply_by_halves(
        self, connection: Connection, memory: _Memory, events: Sequence[Received]
    ) -> dict[int, Exception]:
        """Apply halves of halves, each within a savepoint, down to events that fail alone; return errors by index.

        Once a few events of a run have failed, its others are set aside without an attempt, since each attempt takes
        time from all runs of the partition. They are applied when the quarantine is redriven.
        """
        failed: dict[int, Exception] = {}
        failures = Counter[RunPath]()
        waiting = [[*range(len(events))]]
        while waiting:
            indices = waiting.pop()
            aside = [index for index in indices if failures[events[index].event.run] >= _FAILURES_OF_A_RUN]
            failed |= {index: LimitExceeded(_SET_ASIDE) for index in aside}
            if aside:
                indices = [index for index in indices if index not in failed]
            if not indices:
                continue
            try:
                async with connection.transaction():
                    await self._apply(connection, memory, [events[index] for index in indices])
            except Exception as error:
                if connection.is_closed() or not is_message_error(error):
                    raise
                memory.partition = await self._new_partition(connection)
                if len(indices) == 1:
                    failed[indices[0]] = error
                    failures[events[indices[0]].event.run] += 1
                else:
                    middle = len(indices) // 2
                    waiting += [indices[middle:], indices[:middle]]
        self._background.start(memory.partition.background)
        return failed
