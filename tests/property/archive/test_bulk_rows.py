"""Rows that are read as Arrow are those that are read as JSON, and dicts made of columns those made one by one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from runstream.public_api.bulk.batches import RowBatch, decode
from runstream.public_api.bulk.rows import nested_rows, rows_with_all
from runstream.public_api.frames import pick
from runstream_consumers.api.documents import arrow_rows, row_pages
from runstream_consumers.api.documents.row_positions import FIELDS
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.reader import RowQuery, scan
from runstream_consumers.history.selection import Selection
from runstream_schemas import values
from runstream_schemas.rows import pack_rows
from tests.contract.meaning import canonical
from tests.property.archive.histories import RUN
from tests.property.archive.test_archived_rows import histories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.history.reader import Cursor, Page
    from tests.property.archive.histories import History

_KEYS = st.lists(
    st.sampled_from(["a", "b", "a.b", "A", "é", "_step", "_timestamp", "_hidden", "", "a.b.a", "a/b"]), max_size=3
)


def _page(history: History, query: RowQuery, after: Cursor | None, **asked: Any) -> Page:
    return asyncio.run(scan(history.stored, RUN, query, after=after, **asked))


def _as_json(page: Page, started: float | None, fields: Sequence[str]) -> list[dict[str, Any]]:
    text = row_pages.render_rows(page.table, started, fields, next=None).decode()
    json.loads(text)
    return list(values.load(text)["rows"])


_FORMS = st.tuples(
    st.sampled_from([None, 0.0, 1.0000005, 12.5]), st.one_of(st.just(FIELDS), st.lists(st.sampled_from(FIELDS)))
)


@given(histories(), st.one_of(st.none(), _KEYS), st.booleans(), _FORMS, st.sampled_from([1, 4, 9]))
def test_arrow_and_json_have_the_same_rows(
    history: History,
    keys: list[str] | None,
    late: bool,  # noqa: FBT001
    form: tuple[float | None, Sequence[str]],
    limit: int,
) -> None:
    """Pages of both forms have equal rows, whatever was logged, and ends of pages of few values lose none."""
    started, fields = form
    most = 7 if limit == 4 else GREATEST
    query, after = RowQuery(keys=keys, late=late), None
    whole = _as_json(_page(history, query, None, limit=10_000), started, fields)
    found = []
    while True:
        page = _page(history, query, after, limit=limit, values=most)
        expected = _as_json(page, started, fields)
        data = b"".join(arrow_rows.render_rows(page.table, started, fields, next=page.next))
        batches = decode(data).batches
        found += expected
        rows = [row for batch in batches for row in nested_rows(batch)]
        assert canonical(rows) == canonical(expected)
        by_pyarrow = decode(data, by_pyarrow=True).batches
        assert canonical([row for batch in by_pyarrow for row in nested_rows(batch)]) == canonical(expected)
        if keys is not None and "_step" in fields:
            picked = [pick(row, ["_step", *keys]) for row in expected]
            having_all = [row for row in picked if all(key in row for key in keys)]
            assert canonical([row for batch in batches for row in rows_with_all(batch, keys)]) == canonical(having_all)
        if (after := page.next) is None:
            break
    assert canonical(found) == canonical(whole)


_MEDIA = st.dictionaries(
    st.sampled_from(["_type", "path", "a"]), st.one_of(st.text(max_size=3), st.integers()), max_size=3
)
_LOGGED = st.dictionaries(
    st.sampled_from(["a", "b", "a.path", "_type"]), st.one_of(st.floats(), st.booleans(), st.none(), _MEDIA), max_size=4
)


@example([{"a": {"_type": "image-file", "path": "x"}}], ["a.path", "a._type"])
@example([{"a": {"path": "x"}}], ["a", "a.path"])
@example([{"a.path": 2, "a": {"path": 1}}], ["a.path"])
@given(
    st.lists(_LOGGED, min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "a.path", "a._type", "b.a", "_step", "_type"]), min_size=1, max_size=3),
)
def test_rows_of_columns_have_the_keys_that_assembled_rows_have(rows: list[dict[str, Any]], keys: list[str]) -> None:
    """Values in dicts, in media, and of several types are found or not as in the rows that were logged."""
    selection = Selection.of(keys)
    columns = [one for one in pack_rows(rows) if selection.accepts(one.path, one.type)]
    batch = RowBatch(len(rows), {"_step": np.arange(len(rows))}, columns)
    picked = [pick(row, ["_step", *keys]) for row in nested_rows(batch)]
    expected = [row for row in picked if all(key in row for key in keys)]
    assert canonical(list(rows_with_all(batch, keys))) == canonical(expected)
