"""Pages of archived rows in bulk have the rows that are read one block after the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream.public_api.bulk.batches import decode
from runstream.public_api.bulk.rows import nested_rows
from runstream_consumers.api.documents import arrow_rows, row_pages
from runstream_consumers.api.documents.row_positions import FIELDS
from runstream_consumers.archive.bulk.page import BulkPage
from runstream_consumers.archive.bulk.scanning import scan_in_bulk
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.reader import RowQuery, scan
from runstream_consumers.object_store.store import ObjectDamaged
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import values
from tests.contract.meaning import canonical
from tests.property.archive import test_archived_views as views
from tests.property.archive.histories import RUN, History, MemoryStore, logged
from tests.property.history.test_view import PATHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_schemas.topics import RunPath

_ROW = st.dictionaries(
    st.sampled_from(["a", "b", "a.b", "é", "_step", "_runtime"]),
    st.one_of(st.floats(), st.integers(-9, 9), st.booleans(), st.none(), st.text(max_size=3), st.just({"a": 1})),
    max_size=3,
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a run whose steps mostly ascend, of one or two writers, of which most blocks are archived."""
    blocks, step = [], 0
    for _ in range(draw(st.integers(1, 8))):
        step = max(0, step + draw(st.sampled_from([0, 0, 0, 1, 5, -3])))
        gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 7, 0]), min_size=1, max_size=6))
        steps = [step, *(step + int(gap) for gap in np.cumsum(gaps))]
        blocks.append((draw(st.sampled_from([0, 0, 0, 1])), steps, [draw(_ROW) for _ in steps]))
        step = steps[-1] + 1
    history, run = History(), run_key(RUN)
    history.add(run, *logged(blocks))
    for _ in range(draw(st.integers(1, 3))):
        if count := len(history.hot.blocks[run]):
            history.archive_blocks(run, set(range(count)) - draw(st.sets(st.integers(0, count - 1), max_size=2)))
        if draw(st.booleans()):
            history.join_parts(run)
    return history


_QUERIES = st.builds(
    lambda keys, first, last, late: RowQuery(keys=keys, min_step=first, max_step=last, late=late),
    st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "a.b", "_step"]), max_size=2)),
    st.one_of(st.none(), st.integers(0, 20)),
    st.one_of(st.none(), st.integers(0, 40)),
    st.booleans(),
)
_SIZES = st.tuples(st.sampled_from([1, 4, 9, 100]), st.sampled_from([7, GREATEST]))


def _in_bulk(
    source: Any, run: RunPath, query: RowQuery, size: tuple[int, int], fields: Sequence[str] = FIELDS
) -> tuple[list[dict[str, Any]], list[bool]]:
    """Return the rows of all pages as the client reads them, and which pages were read as stretches."""
    rows, kinds, after = [], [], None
    while True:
        page = asyncio.run(scan_in_bulk(source, run, query, after=after, limit=size[0], values=size[1]))
        if isinstance(page, BulkPage):
            pieces = arrow_rows.render_chunks(page.chunks, 1.0, fields, next=None)
        else:
            pieces = arrow_rows.render_rows(page.table, 1.0, fields, next=None)
        found = [row for batch in decode(b"".join(pieces)).batches for row in nested_rows(batch)]
        assert len(found) <= size[0]
        rows += found
        kinds.append(isinstance(page, BulkPage))
        if page.next is None:
            return rows, kinds
        assert after is None or page.next > after
        after = page.next


def _one_by_one(source: Any, run: RunPath, query: RowQuery, fields: Sequence[str] = FIELDS) -> list[dict[str, Any]]:
    table = asyncio.run(scan(source, run, query, limit=100_000)).table
    return list(values.load(row_pages.render_rows(table, 1.0, fields).decode())["rows"])


@given(histories(), _QUERIES, _SIZES, st.sampled_from([FIELDS, ("_step",), ("_late", "_writer"), ()]))
def test_pages_in_bulk_have_the_rows_of_a_scan(
    history: History, query: RowQuery, size: tuple[int, int], fields: Sequence[str]
) -> None:
    """Wherever rows are, whether they are late, and wherever pages end."""
    found, _ = _in_bulk(history.stored, RUN, query, size, fields)
    assert canonical(found) == canonical(_one_by_one(history.whole, RUN, query, fields))


@given(views.histories(), st.integers(0, len(PATHS) - 1), _SIZES, st.booleans())
def test_pages_of_forks_and_resumes_have_the_rows_of_a_scan(
    history: History,
    run: int,
    size: tuple[int, int],
    late: bool,  # noqa: FBT001
) -> None:
    """Rows that are hidden, inherited, or both are in one as in the other."""
    query, path = RowQuery(late=late), PATHS[run]
    found, _ = _in_bulk(history.stored, path, query, size)
    assert canonical(found) == canonical(_one_by_one(history.whole, path, query))


def _long(stride: int) -> History:
    """Return a history of 30 000 rows in three parts; a text is rare, and a number is not in the second part."""
    blocks = []
    for start in range(0, 30_000, 500):
        rows = [
            {"loss": at / 7, "note": f"é{at}"} if at % 1000 == 3 else {"loss": at / 7, "ok": at % 3 == 0}
            for at in range(start, start + 500)
        ]
        if not 10_000 <= start < 20_000:
            rows = [row | {"lr": number % 2} for number, row in enumerate(rows)]
        blocks.append((0, [stride * at for at in range(start, start + 500)], rows))
    history, run = History(), run_key(RUN)
    history.add(run, *logged(blocks))
    for _ in range(3):
        history.archive_blocks(run, range(20))
    return history


@pytest.mark.parametrize("stride", [1, 3])
def test_rows_of_many_row_groups_are_read_at_once(stride: int) -> None:
    """Pages begin and end anywhere in row groups and parts, with consecutive steps or not, also those of rare keys."""
    history = _long(stride)
    for query in (
        RowQuery(),
        RowQuery(keys=["lr", "note"], min_step=50 * stride),
        RowQuery(keys=["note"], min_step=9000 * stride + 1, max_step=29_000 * stride - 1),
        RowQuery(keys=["none"]),
    ):
        expected = canonical(_one_by_one(history.whole, RUN, query))
        for size in ((1000, GREATEST), (17_001, GREATEST), (100_000, 20_000)):
            rows, kinds = _in_bulk(history.stored, RUN, query, size)
            assert all(kinds)
            assert canonical(rows) == expected


@dataclass(repr=False)
class _CountingStore(MemoryStore):
    """Counts the requests for values, which are not at the ends of Parquet files."""

    requests: int = 0

    def read_range(self, key: str, start: int, length: int) -> bytes:
        self.requests += key.endswith(".parquet") and start + length < len(self.objects[key])
        return super().read_range(key, start, length)


def test_row_groups_that_are_near_each_other_are_one_request() -> None:
    """One for each part, and none for a part without the wanted key."""
    history = _long(1)
    history.store = store = _CountingStore(history.store.objects)
    _in_bulk(history.stored, RUN, RowQuery(keys=["lr"]), (1_000_000, GREATEST), ["_step"])
    assert store.requests == 2


def test_a_page_ends_where_rows_are_no_longer_in_order() -> None:
    """Before a block that overlaps another one; pages of overlapping blocks are read one block after the other."""
    steps_of = [
        (0, range(100)),
        (0, range(100, 200)),
        (1, range(150, 160)),
        (0, range(200, 9000)),
        (2, range(9000, 9005)),
    ]
    history, run = History(), run_key(RUN)
    history.add(run, *logged([(writer, steps, [{"a": 1.5}] * len(steps)) for writer, steps in steps_of]))
    history.archive_blocks(run, range(5))
    rows, kinds = _in_bulk(history.stored, RUN, RowQuery(), (150, GREATEST))
    assert canonical(rows) == canonical(_one_by_one(history.whole, RUN, RowQuery()))
    assert kinds[:3] == [False, False, True]
    assert all(kinds[2:])


def test_values_that_were_altered_are_not_returned() -> None:
    """The checksums of pages are verified: reading them raises ObjectDamaged."""
    history = _long(1)
    for key, data in history.store.objects.items():
        if key.endswith(".parquet"):
            history.store.objects[key] = data[:2000] + bytes(255 - byte for byte in data[2000:2100]) + data[2100:]
    with pytest.raises(ObjectDamaged):
        _in_bulk(history.stored, RUN, RowQuery(), (100_000, GREATEST))
