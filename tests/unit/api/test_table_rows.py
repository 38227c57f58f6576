"""Pages of the rows of table files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_consumers.web.media import table_rows
from runstream_consumers.web.media.table_rows import TableQuery, read_page
from runstream_schemas.exceptions import InvalidTable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def _chunks(data: bytes, size: int = 50) -> AsyncGenerator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _file(rows: list[Any], columns: list[Any] | None = None) -> bytes:
    return json.dumps({"columns": columns or ["n", "text"], "data": rows}).encode()


_ROWS: list[list[Any]] = [[number, f"row {number}"] for number in range(100)]


@pytest.mark.parametrize("offset", [0, 1, 37, 95, 99])
async def test_a_page_has_the_rows_from_an_offset(offset: int) -> None:
    """Only as much of the file is read as the page needs."""
    page = await read_page([_chunks(_file(_ROWS))], TableQuery(offset=offset, limit=10))
    assert page.rows == _ROWS[offset : offset + 10]
    assert page.columns == ["n", "text"]
    assert (page.counted >= offset + len(page.rows), page.whole) == (True, offset > 85)


async def test_several_files_are_one_table() -> None:
    """The rows of increments follow each other."""
    files = [_chunks(_file(_ROWS[:30])), _chunks(_file([])), _chunks(_file(_ROWS[30:]))]
    page = await read_page(files, TableQuery(offset=25, limit=10))
    assert page.rows == _ROWS[25:35]


async def test_cells_of_any_type_are_sorted() -> None:
    """Numbers come first, then NaN, texts and others; cells that are missing are last in both directions."""
    rows: list[list[Any]] = [[None], ["b"], [2], [float("nan")], [{"a": 1}], ["a"], [True], [-1.5], []]
    ascending = await read_page([_chunks(_file(rows, ["x"]))], TableQuery(limit=20, order=0))
    assert [repr(row) for row in ascending.rows] == [
        "[-1.5]",
        "[True]",
        "[2]",
        "[nan]",
        "['a']",
        "['b']",
        "[{'a': 1}]",
        "[None]",
        "[]",
    ]
    descending = await read_page([_chunks(_file(rows, ["x"]))], TableQuery(limit=2, order=0, descending=True))
    assert descending.rows == [[{"a": 1}], ["b"]]


async def test_only_the_first_rows_of_a_huge_table_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page reports that the table was not read to its end."""
    monkeypatch.setattr(table_rows, "MOST_ROWS", 20)
    page = await read_page([_chunks(_file(_ROWS))], TableQuery(limit=2, order=0, descending=True))
    assert (page.rows, page.counted, page.whole) == ([[19, "row 19"], [18, "row 18"]], 20, False)


async def test_rows_that_are_longer_than_the_columns_get_numbers() -> None:
    """A row that is no list is a row with one cell."""
    page = await read_page([_chunks(_file([[1, 2, 3], 7], ["a"]))], TableQuery())
    assert (page.columns, page.rows) == (["a", "1", "2"], [[1, 2, 3], [7]])


async def test_a_file_that_is_no_table_is_refused() -> None:
    """InvalidTable is raised, also for a file that is cut."""
    with pytest.raises(InvalidTable):
        await read_page([_chunks(b"lr: 0.1")], TableQuery())
    with pytest.raises(InvalidTable):
        await read_page([_chunks(_file(_ROWS)[:-10])], TableQuery(limit=200))
