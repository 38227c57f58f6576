"""The summary consumer, as the runtime runs it."""

from __future__ import annotations

from collections import OrderedDict
from importlib.resources import files
from typing import TYPE_CHECKING

from runstream_consumers.runtime.plugin import Declaration, SimplePartition
from runstream_consumers.summary import store
from runstream_consumers.summary.store import Kept
from runstream_schemas.summary_algebra.fold import counts
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

    from runstream_consumers.runtime.plugin import Batch, Connection, Context

#: How much is kept in memory between batches, over all runs of a partition: keys and assignments, some 750 bytes each.
DEFAULT_CACHED_WEIGHT = 40_000


class SummaryConsumer:
    """Keeps, for every run, the summary, the config and what the run says of itself."""

    name: str = "summary"
    topics: frozenset[Topic] = frozenset({Topic.LOG, Topic.CONFIG, Topic.SUMMARY})
    migrations: Traversable = files("runstream_consumers.summary") / "migrations"
    declaration = Declaration(owned_topics=frozenset({Topic.CONFIG, Topic.SUMMARY}), resume_topics=topics)

    def partition(self, number: int, context: Context) -> SummaryPartition:  # noqa: ARG002
        """Return the work on one partition."""
        return SummaryPartition()


class SummaryPartition(SimplePartition):
    """Folds the batches of one partition; keeps the folds of the runs that were active last."""

    def __init__(self, cached_weight: int = DEFAULT_CACHED_WEIGHT) -> None:
        self._folds: OrderedDict[RunPath, Kept] = OrderedDict()
        self._cached_weight = cached_weight

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Fold a batch in and write one row for each run it changed."""
        fresh = [received for received in batch.events if counts(received.event)]
        changed = dict.fromkeys(received.event.run for received in fresh)
        unknown = [run for run in changed if run not in self._folds]
        stored = await store.load(connection, unknown)
        for run in unknown:
            self._folds[run] = stored.get(run) or Kept.new(run)
        for received in fresh:
            self._folds[received.event.run].fold.fold(received.event, received.offset, received.append_time)
        created = [run for run in unknown if run not in stored]
        await store.create(connection, [self._folds[run] for run in created])
        await store.save(connection, [self._folds[run] for run in changed.keys() - set(created)])
        self._keep(changed)

    def _keep(self, changed: Iterable[RunPath]) -> None:
        """Drop the folds of the runs that were idle longest, down to the weight that may be kept."""
        for run in changed:
            self._folds.move_to_end(run)
        weight = sum(kept.fold.weight for kept in self._folds.values())
        while weight > self._cached_weight:
            _, idle = self._folds.popitem(last=False)
            weight -= idle.fold.weight
