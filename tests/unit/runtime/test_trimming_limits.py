"""Events whose trimming would cost more and more are refused, and their work is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.runtime.consuming.trimming import MAX_CUT_COLUMNS, MAX_HOLES, trim
from runstream_consumers.runtime.progress.spans import UNTOUCHED, Progress, advance
from runstream_schemas.rows import pack_rows
from tests.costs import growth, instructions
from tests.events import changed
from tests.property.runtime.test_trimming import WRITERS, received, rows_block

if TYPE_CHECKING:
    from collections.abc import Callable


def test_holes_cost_no_search() -> None:
    """A record after many holes, and one within them, take work that does not grow with the holes."""

    def make(size: int) -> Callable[[], object]:
        progress = Progress(2 * size, tuple((2 * number, 2 * number + 1) for number in range(size)))
        return lambda: (advance(progress, size, 1), advance(progress, 4 * size, 1))

    assert growth(make, 1000) < 1.3
    assert instructions(lambda: [advance(UNTOUCHED, number * 2, 1) for number in range(100)]) < 100 * 300


def test_a_writer_has_a_bounded_number_of_holes() -> None:
    """Every second record is missing: events beyond the limit are refused, and those that fill holes are not."""
    events = [received(rows_block(WRITERS[0], 2 * number + 1, 1), number) for number in range(MAX_HOLES + 3)]
    found = trim({}, events)
    [progress] = found.progress.values()
    assert (len(found.events), len(progress.holes)) == (MAX_HOLES, MAX_HOLES)
    assert [item.event.writer for item, _ in found.refused] == [WRITERS[0]] * 3

    filled = trim(found.progress, [received(rows_block(WRITERS[0], 0, 3), 9)])
    assert not filled.refused
    assert len(filled.events) == 2


def test_a_wide_event_is_not_cut_into_many_parts() -> None:
    """An event of very many columns that fills many holes is refused; a narrow one is cut."""
    holes = [received(rows_block(WRITERS[0], 2 * number + 1, 1), number) for number in range(MAX_HOLES)]
    known = trim({}, holes).progress
    narrow = rows_block(WRITERS[0], 0, 2 * MAX_HOLES)
    assert len(trim(known, [received(narrow, 1)]).events) == MAX_HOLES
    width = MAX_CUT_COLUMNS // MAX_HOLES + 1
    wide = changed(narrow, columns=[*pack_rows([{f"k{n}": 1 for n in range(width)}] * narrow.count)])
    assert len(trim(known, [received(wide, 1)]).refused) == 1
