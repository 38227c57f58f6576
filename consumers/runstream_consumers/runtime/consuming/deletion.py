"""Leave out the records of runs that were deleted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import ArtifactEvent, Event, FileEvent, Kind
from runstream_schemas.topics import Topic


@dataclass(slots=True)
class Remaining:
    """The events of a batch that are not of deleted runs."""

    events: Sequence[Received]
    #: The runs that the batch deletes, with the append time of the event.
    deleted: dict[UUID, int] = field(default_factory=dict)
    #: How many records are left out, by run.
    dropped: Counter[UUID] = field(default_factory=Counter)


def deletes_run(event: Event) -> bool:
    """Return whether an event deletes its run; those of files and artifacts may delete one of these instead."""
    if event.kind is not Kind.DELETED:
        return False
    return not (isinstance(event, FileEvent) and event.path) and not (isinstance(event, ArtifactEvent) and event.name)


def remaining(known: Container[UUID], received: Sequence[Received], *, some_known: bool) -> Remaining:
    """Return what is left of a batch; ``known`` are the runs that were deleted before.

    What precedes the deletion in its topic is left, as if it had been in an earlier batch: its rows are deleted with
    those of the run, and what it changes elsewhere, such as a version of an artifact, does not depend on the batches.
    The order of topics is of no importance.
    """
    found = Remaining(received)
    deletions: dict[tuple[UUID | None, Topic], int] = {}
    for item in received:
        if deletes_run(item.event):
            run = run_key(item.event.run)
            found.deleted.setdefault(run, item.append_time)
            deletions.setdefault((run, item.topic), item.offset)
    if not (found.deleted or some_known):
        return found
    kept: list[Received] = []
    for item in received:
        key = None if item.event.kind is Kind.TICK else run_key(item.event.run)
        is_left = key not in found.deleted or item.offset < deletions.get((key, item.topic), -1)
        if key is None or (key not in known and is_left):
            kept.append(item)
        elif not deletes_run(item.event):
            found.dropped[key] += item.event.count
    found.events = kept
    return found
