"""The summary consumer as a plugin of the runtime."""

from __future__ import annotations

from collections import OrderedDict
from importlib.resources import files
from importlib.resources.abc import Traversable

from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration, SimplePartition
from runstream_consumers.summary import store
from runstream_consumers.summary.store import StoredState
from runstream_schemas.summary_algebra.summary_state import contributes
from runstream_schemas.topics import RunPath, Topic

#: Keys and assignments (some 750 bytes each) cached per partition; the runs of the last batch may exceed it.
DEFAULT_CACHED_WEIGHT = 40_000


class SummaryConsumer:
    """Stores the summary, the config and the attributes of every run."""

    name: str = "summary"
    topics: frozenset[Topic] = frozenset({Topic.LOG, Topic.CONFIG, Topic.SUMMARY})
    migrations: Traversable = files("runstream_consumers.summary") / "migrations"
    declaration = Declaration(owned_topics=frozenset({Topic.CONFIG, Topic.SUMMARY}), resume_topics=topics)

    def partition(self, number: int, context: Context) -> SummaryPartition:  # noqa: ARG002
        """Return the handler of one partition."""
        return SummaryPartition()


class SummaryPartition(SimplePartition):
    """Folds the batches of one partition. Caches the states of the runs that were used last."""

    def __init__(self, cached_weight: int = DEFAULT_CACHED_WEIGHT) -> None:
        #: Ordered by last use.
        self._cached: OrderedDict[RunPath, StoredState] = OrderedDict()
        self._cached_weight = cached_weight
        #: The weight of all cached states.
        self._weight = 0

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Fold a batch and write one row for each run that it changed."""
        fresh = [received for received in batch.events if contributes(received.event)]
        changed = dict.fromkeys(received.event.run for received in fresh)
        unknown = [run for run in changed if run not in self._cached]
        stored = await store.load(connection, unknown)
        for run in unknown:
            self._cached[run] = stored.get(run) or StoredState.new(run)
        states = {run: self._cached[run] for run in changed}
        known = sum(states[run].state.weight for run in changed.keys() - unknown)
        for received in fresh:
            states[received.event.run].state.fold(received.event, received.offset, received.append_time)
        for run in changed:
            self._cached.move_to_end(run)
        self._weight += sum(stored.state.weight for stored in states.values()) - known
        created = [run for run in unknown if run not in stored]
        await store.create(connection, [states[run] for run in created])
        await store.save(connection, [states[run] for run in changed.keys() - set(created)])
        self._evict(kept=len(changed))

    def _evict(self, kept: int) -> None:
        """Evict the least recently used states down to the cached weight, but not the last ``kept`` ones.

        Those are the runs of the last batch. A run that is larger than the cache would otherwise be loaded again for
        each of its batches.
        """
        while self._weight > self._cached_weight and len(self._cached) > kept:
            _, idle = self._cached.popitem(last=False)
            self._weight -= idle.state.weight
