"""What is compacted, and which parts are joined."""

from __future__ import annotations

from uuid import UUID, uuid4

from runstream_consumers.archive.layout import PartRecord
from runstream_consumers.compactor.plan import MOST_POINTS, HotRun, Thresholds, parts_to_join
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

_NOW = 1_800_000_000.0


def _hot(number: int, rows: int, *, size: int = 0, age: float = 0.0) -> HotRun:
    return HotRun(run=UUID(int=number), stream=1, blocks=1, rows=rows, bytes=size, newest=int((_NOW - age) * 1e6))


def _part(points: int, offset: int, *, columns: int = 20, rows: int | None = None) -> PartRecord:
    return PartRecord(
        run=RunPath(entity="e", project="p", run_id="r"),
        stream=Stream.HISTORY,
        part=uuid4(),
        base="b",
        files=1,
        index_object_size=1,
        index_size=1,
        rows=points // columns if rows is None else rows,
        points=points,
        columns=columns,
        min_step=0,
        max_step=1,
        first_offset=0,
        last_offset=offset,
    )


def test_runs_are_due_with_many_rows_or_bytes_or_when_they_are_idle() -> None:
    """A live run is compacted once it is large, any run once nothing has arrived for a time; the largest first."""
    runs = [_hot(1, 99), _hot(2, 100, size=5), _hot(3, 1, size=1000), _hot(4, 1, size=9, age=601), _hot(5, 1, age=599)]
    found = Thresholds(rows=100, bytes=1000, idle_s=600).due(runs, _NOW)
    assert [one.run.int for one in found] == [3, 4, 2]


def test_eight_parts_of_similar_size_are_joined_in_order() -> None:
    """Seven are not; parts of another size stay, so that a row is written again a few times at most."""
    similar = [_part(100_000, offset) for offset in range(7)]
    other = _part(5_000_000, 50)
    assert parts_to_join([*similar, other], is_final=False) == []
    eight = [*similar, _part(100_000, 7)]
    assert parts_to_join([other, *reversed(eight)], is_final=False) == eight


def test_parts_are_not_joined_beyond_what_fits_into_memory() -> None:
    """Neither values nor rows times columns exceed their limit."""
    large = [_part(MOST_POINTS // 3, offset) for offset in range(8)]
    assert parts_to_join(large, is_final=False) == large[:3]
    whole = [_part(MOST_POINTS - 1, offset) for offset in range(9)]
    assert len(parts_to_join(whole, is_final=True)) == 1
    sparse = [_part(100_000, offset, columns=100_000, rows=3000) for offset in range(8)]
    assert len(parts_to_join(sparse, is_final=False)) <= 1


def test_all_parts_of_an_ended_run_are_joined_that_fit() -> None:
    """Any two parts are joined, since no others will come; one part is left alone."""
    parts = [_part(100_000, 0), _part(2_000_000, 1), _part(10, 2)]
    assert parts_to_join(parts, is_final=True) == parts
    assert len(parts_to_join(parts[:1], is_final=True)) == 1
    assert parts_to_join([], is_final=True) == []
