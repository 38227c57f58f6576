"""Charts of several runs, with as many queries as for one."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from runstream_consumers.history.block_source import GENERATIONS, Outline, placed
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.sampling import Series
from runstream_consumers.history.series.collector import Reading, SeriesCollector
from runstream_consumers.history.series.query import RowQuery
from runstream_consumers.history.view import RowSource, RunFacts, lines_of, view_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

#: Runs that are read ahead of the one that is drawn.
_AHEAD = 16


class BlocksOfRuns(Protocol):
    """Storage of blocks, of which those of several runs are read together."""

    def snapshot(self) -> AbstractAsyncContextManager[object]:
        """Read within one consistent state of the storage."""

    async def newest_of(self, runs: Sequence[UUID], stream: Stream) -> Mapping[UUID, int | None]:
        """Return the greatest offset of the rows of each run; None if there are none."""

    async def facts_of(self, runs: Sequence[UUID], stream: Stream) -> Mapping[UUID, RunFacts]:
        """Return what is known of the writers and branches of each run."""

    async def outlines_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> Mapping[UUID, Sequence[Outline]]:
        """Return the outlines of the archived blocks of runs that overlap a range of steps (both inclusive)."""

    def recent_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> AsyncIterator[Sequence[tuple[UUID, Block]]]:
        """Yield the other blocks that overlap the range, in any order, each with its run."""


async def curves(
    source: BlocksOfRuns, runs: Sequence[RunPath], query: RowQuery, *, samples: int, known: Collection[str] = ()
) -> tuple[str, dict[RunPath, dict[tuple[str, bytes], Series]] | None]:
    """Return the fingerprint of runs and the joined series of each, None for these if it is one of the known ones.

    Series are those of :func:`runstream_consumers.history.reader.series`, late rows included; runs of which nothing is
    stored have none. The fingerprint changes whenever the rows of a run's view change.
    """
    keys = {run_key(run): run for run in runs}
    async with source.snapshot():
        views = await _views(source, list(keys), query.stream)
        collectors = {key: SeriesCollector(query, samples, None, every_row=False) for key in keys}
        #: The collectors that need the rows of a run, which may be inherited by several.
        parts: dict[UUID, list[tuple[SeriesCollector, RowSource]]] = {}
        for key, view in views.items():
            collectors[key].lines = {writer.bytes: line.bytes for writer, line in lines_of(view).items()}
            for part in view:
                parts.setdefault(part.facts.run, []).append((collectors[key], part))
        newest = await source.newest_of(sorted(parts), query.stream)
        found = fingerprint_of((part.facts, newest[part.facts.run]) for view in views.values() for part in view)
        if found in known:
            return found, None
        limits = (query.stream, query.first, query.last)
        outlines = await source.outlines_of(list(parts), *limits)
        await asyncio.to_thread(_draw, views, collectors, outlines)
        async for blocks in source.recent_of(list(parts), *limits):
            await asyncio.to_thread(_extend, parts, blocks)
    return found, await asyncio.to_thread(lambda: {keys[key]: one.result() for key, one in collectors.items()})


def fingerprint_of(places: Iterable[tuple[RunFacts, int | None]]) -> str:
    """Return a text that changes whenever what is known of runs, or the greatest offset of their rows, does."""
    digest = hashlib.sha256()
    for place in places:
        digest.update(repr(place).encode())
    return digest.hexdigest()[:32]


async def _views(source: BlocksOfRuns, runs: Sequence[UUID], stream: Stream) -> dict[UUID, list[RowSource]]:
    """Return the view of each run; the facts of runs that were forked from are read a generation at a time."""
    facts: dict[UUID, RunFacts] = {}
    wanted = set(runs)
    for _ in range(GENERATIONS):
        facts |= await source.facts_of(sorted(wanted), stream)
        wanted = {one.fork.origin for one in facts.values() if one.fork is not None} - facts.keys()
        if not wanted:
            break
    return {run: view_of(_lineage(facts, run)) for run in runs}


def _lineage(facts: Mapping[UUID, RunFacts], run: UUID) -> list[RunFacts]:
    lineage = [facts.get(run) or RunFacts(run)]
    while (fork := lineage[-1].fork) is not None and len(lineage) < GENERATIONS:
        if fork.origin not in facts or any(known.run == fork.origin for known in lineage):
            break
        lineage.append(facts[fork.origin])
    return lineage


def _draw(
    views: Mapping[UUID, Sequence[RowSource]],
    collectors: Mapping[UUID, SeriesCollector],
    outlines: Mapping[UUID, Sequence[Outline]],
) -> None:
    waiting: deque[tuple[SeriesCollector, Reading]] = deque()
    for key, view in views.items():
        found = [(part, outline) for part in view for outline in outlines.get(part.facts.run, ())]
        if found:
            waiting.append((collectors[key], collectors[key].start(found)))
        if len(waiting) > _AHEAD:
            collector, reading = waiting.popleft()
            collector.draw(reading)
    for collector, reading in waiting:
        collector.draw(reading)


def _extend(
    parts: Mapping[UUID, Iterable[tuple[SeriesCollector, RowSource]]], blocks: Sequence[tuple[UUID, Block]]
) -> None:
    for run, block in blocks:
        for collector, part in parts[run]:
            if block.first_step <= part.last_step:
                collector.extend(placed([block], part))
