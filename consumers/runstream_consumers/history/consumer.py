"""The registration of the history consumer, which stores every block unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any
from uuid import UUID

from runstream_consumers.history import store
from runstream_consumers.history.model import NO_STEP, WriterSteps, measure
from runstream_consumers.history.store import WriterKey
from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration, Received, SimplePartition
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_schemas.events import Branch, Kind, LogEvent
from runstream_schemas.topics import RunPath, Topic

#: Writers, and runs, that a partition keeps in memory.
_REMEMBERED = 50_000


class HistoryConsumer:
    """Stores the blocks of all streams of all runs."""

    name = "history"
    topics = frozenset([Topic.LOG])
    migrations: Traversable = files("runstream_consumers.history") / "migrations"
    declaration = Declaration(owned_topics=topics, resume_topics=topics)

    def partition(self, number: int, context: Context) -> HistoryPartition:  # noqa: ARG002
        """Return the work on one partition."""
        return HistoryPartition()


class HistoryPartition(SimplePartition):
    """Stores the blocks of one partition; keeps in memory what their writers have logged before."""

    def __init__(self) -> None:
        self._writers: dict[WriterKey, WriterSteps] = {}
        self._runs: set[UUID] = set()
        self._lineage: set[tuple[UUID, UUID, UUID]] = set()

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Store the blocks of a batch."""
        events = [(item, item.event) for item in batch.events if isinstance(item.event, LogEvent)]
        await self._add_runs(connection, {run_key(event.run): event.run for _, event in events})
        blocks = [(item, event) for item, event in events if event.kind is Kind.DATA]
        await self._add_blocks(connection, blocks)
        await self._add_lineage(connection, [event for _, event in events])
        await store.add_branches(
            connection, [_branch(item, event, event.branch) for item, event in events if event.branch]
        )
        others = [(item, event) for item, event in events if event.kind is not Kind.DATA and not event.branch]
        await store.add_markers(connection, [_marker(item, event) for item, event in others])

    async def _add_runs(self, connection: Connection, runs: dict[UUID, RunPath]) -> None:
        new = {key: runs[key] for key in sorted(runs.keys() - self._runs)}
        await store.add_runs(connection, new)
        if len(self._runs) > _REMEMBERED:
            self._runs.clear()
        self._runs |= new.keys()

    async def _add_blocks(self, connection: Connection, blocks: Sequence[tuple[Received, LogEvent]]) -> None:
        if not blocks:
            return
        keys = [_key(event) for _, event in blocks]
        await self._load_writers(connection, set(keys))
        rows = [self._row(item, event, key) for (item, event), key in zip(blocks, keys, strict=True)]
        await store.add_blocks(connection, rows)
        await store.save_writers(connection, {key: self._writers[key] for key in sorted(set(keys))})

    async def _add_lineage(self, connection: Connection, events: Sequence[LogEvent]) -> None:
        """Store which writers continue which, unless that is known."""
        found = {(run_key(event.run), event.writer) for event in events if event.writer.continues}
        pairs = {
            (run, writer_key(writer.id), writer_key(earlier)) for run, writer in found for earlier in writer.continues
        }
        if new := sorted(pairs - self._lineage):
            await store.add_lineage(connection, new)
            if len(self._lineage) > _REMEMBERED:
                self._lineage.clear()
            self._lineage |= pairs

    async def _load_writers(self, connection: Connection, keys: set[WriterKey]) -> None:
        if len(self._writers) > _REMEMBERED:
            self._writers.clear()
        if new := sorted(keys - self._writers.keys()):
            self._writers |= dict.fromkeys(new, WriterSteps())
            self._writers |= await store.load_writers(connection, new)

    def _row(self, item: Received, event: LogEvent, key: WriterKey) -> tuple[Any, ...]:
        before = self._writers[key]
        block, self._writers[key] = measure(event, before, item.append_time)
        run, stream, writer = key
        return (
            run,
            stream,
            item.offset,
            event.seq,
            item.partition,
            writer,
            event.count,
            block.least,
            block.greatest,
            int(event.times.min()),
            int(event.times.max()),
            item.append_time,
            None if before.greatest == NO_STEP else before.greatest,
            block.late,
            item.message,
        )


def _key(event: LogEvent) -> WriterKey:
    return run_key(event.run), store.STREAM_NUMBERS[event.stream], writer_key(event.writer.id)


def _branch(item: Received, event: LogEvent, branch: Branch) -> tuple[Any, ...]:
    run, _, writer = _key(event)
    return run, writer, event.seq, run_key(branch.run), branch.step, item.offset, item.append_time


def _marker(item: Received, event: LogEvent) -> tuple[Any, ...]:
    run, stream, writer = _key(event)
    reason = event.reason.replace("\0", "\\x00")
    return (
        run,
        writer,
        event.seq,
        event.count,
        event.kind.value,
        stream,
        reason,
        item.partition,
        item.offset,
        item.append_time,
    )
