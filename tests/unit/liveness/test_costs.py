"""The work of a change is about the same however many writers a run has: counted in instructions, not in time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runstream_consumers.liveness.model import Changes, PartitionModel
from runstream_schemas import events
from runstream_schemas.exceptions import LimitExceeded
from runstream_schemas.limits import DEFAULT_LIMITS
from tests.costs import growth, instructions
from tests.property.liveness.logs import LIMITS, RUN, beat, configured, exited, goodbye, is_signed, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Linear work with a logarithm; quadratic work would be 4.
LINEAR = 2.4


def many_writers(role: events.Role, number: int) -> list[events.Writer]:
    """Return writers of the first run."""
    return [events.Writer(id=(number - index).to_bytes(16, "big"), role=role) for index in range(number)]


def lives(writers: list[events.Writer], *, waits: bool, beats: bool) -> Iterator[events.Event]:
    """Yield the events of writers of which each begins, beats and ends after the others."""
    yield from map(configured, writers)
    for number in range(2 if beats else 0):
        yield from (replace(beat(writer, number), waits_for_all=waits) for writer in writers)
    yield from (tick(1 + number) for number in range(LIMITS.stale + 1))
    yield from (exited(writer, beats=beats) for writer in writers)
    if beats:
        yield from (goodbye(writer) for writer in reversed(writers))


@pytest.mark.parametrize("role", [events.Role.PRIMARY, events.Role.WORKER, events.Role.CHILD])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("beats", [False, True])
def test_many_writers_of_a_run(role: events.Role, waits: bool, beats: bool) -> None:  # noqa: FBT001
    """Twice as many writers of one run take twice as much work, whatever becomes of them."""

    def make(size: int) -> Callable[[], object]:
        first = events.Writer(id=b"p" * 16, role=events.Role.PRIMARY)
        log = [replace(beat(first, 0), waits_for_all=waits), *lives(many_writers(role, size), waits=waits, beats=beats)]

        def work() -> None:
            model = PartitionModel(LIMITS, is_signed)
            for time, event in enumerate(log):
                model.apply(event, time)
                assert len(model.changes.writers) <= 1 or event.kind is events.Kind.TICK
                model.changes = Changes()

        return work

    assert growth(make, 40) < LINEAR


@pytest.mark.parametrize("continued", [False, True])
def test_primaries_that_continue_each_other(continued: bool) -> None:  # noqa: FBT001
    """Also a run that was resumed many times, or whose writers all continue one another, costs linear work."""

    def make(size: int) -> Callable[[], object]:
        ids = [number.to_bytes(16, "big") for number in range(size)]
        earlier = [(name,) if continued else () for name in (ids[-1], *ids)]
        log = [
            configured(events.Writer(id=name, role=events.Role.PRIMARY, continues=continues))
            for name, continues in zip(ids, earlier, strict=False)
        ]
        model = PartitionModel(LIMITS, is_signed)
        return lambda: [model.apply(event, time) for time, event in enumerate(log)]

    assert growth(make, 100) < LINEAR


def test_a_batch_does_not_look_at_all_open_runs() -> None:
    """Restoring no run, and forgetting none, costs the same however many writers are running."""
    model = PartitionModel(LIMITS, is_signed)
    for time, writer in enumerate(many_writers(events.Role.WORKER, 1_000)):
        model.apply(beat(writer, 0), time)

    def between_batches() -> None:
        model.restore([])
        model.forget_closed(10)

    assert instructions(between_batches) < 200


def test_continued_writers_of_a_run_are_bounded() -> None:
    """A run whose writers continue more writers than any run has is refused, event by event."""
    model = PartitionModel(LIMITS, is_signed)
    step, number = 1_000, DEFAULT_LIMITS.run_continues // 1_000
    continuing = [
        replace(one, continues=tuple((index * step + other).to_bytes(16, "big") for other in range(step)))
        for index, one in enumerate(many_writers(events.Role.PRIMARY, number + 1))
    ]
    for time, writer in enumerate(continuing[:-1]):
        model.apply(configured(writer), time)
    with pytest.raises(LimitExceeded):
        model.apply(configured(continuing[-1]), 1)
    assert model.runs[RUN].index.continued > DEFAULT_LIMITS.run_continues
