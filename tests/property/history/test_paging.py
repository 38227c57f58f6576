"""Pages of rows compared with a plain sort of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.model import NO_STEP, WriterSteps, measure
from runstream_consumers.history.paging import GREATEST, HistoryRow, Page, PageBuilder
from runstream_consumers.history.selection import Selection
from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from runstream_consumers.history.tables.row_table import Cursor

RUN = RunPath(entity="e", project="p", run_id="r")


def store(blocks: list[tuple[int, list[int]]]) -> list[Block]:
    """Return blocks of (writer, steps) as the consumer stores them; every third row has the key ``rare``."""
    writers: dict[int, WriterSteps] = {}
    stored = []
    for offset, (number, steps) in enumerate(blocks):
        before = writers.get(number, WriterSteps())
        orders = np.arange(before.rows, before.rows + len(steps))
        event = events.LogEvent(
            header=events.Header(
                kind=events.Kind.DATA,
                run=RUN,
                writer=events.Writer(id=bytes([number]) * 16, role=events.Role.WORKER),
                time=0,
                seq=before.rows,
                count=len(steps),
            ),
            stream=events.Stream.HISTORY,
            orders=orders,
            steps=np.array(steps),
            times=orders * 10,
            columns=pack_rows([{"at": int(o), **({"rare": {"x": 1.5}} if o % 3 == 0 else {})} for o in orders]),
        )
        found, writers[number] = measure(event, before)
        payload = Message(encode(event))
        stored.append(Block(event.writer.id, offset, event.seq, found.least, found.greatest, before.greatest, payload))
    return stored


def expected_rows(blocks: list[tuple[int, list[int]]]) -> list[HistoryRow]:
    """Return all rows in order, marked as late by definition."""
    rows: list[dict[str, Any]] = []
    greatest: dict[int, int] = {}
    orders: dict[int, int] = {}
    for offset, (number, steps) in enumerate(blocks):
        for step in steps:
            order = orders[number] = orders.get(number, -1) + 1
            late = step < greatest.get(number, 0)
            greatest[number] = max(greatest.get(number, 0), step)
            values = {"at": order, **({"rare": {"x": 1.5}} if order % 3 == 0 else {})}
            rows.append(
                {
                    "step": step,
                    "time": order * 10,
                    "order": order,
                    "offset": offset,
                    "writer": bytes([number]) * 16,
                    "late": late,
                    "values": values,
                }
            )
    rows.sort(key=lambda row: (row["step"], row["offset"], row["order"]))
    taken: set[int] = set()
    for row in rows:
        row["late"] = row["late"] or row["step"] in taken
        taken.add(row["step"])
    return [HistoryRow(**row) for row in rows]


def read_page(stored: list[Block], after: Cursor | None, **asked: Any) -> Page:
    """Read a page like the reader, from a list instead of a database."""
    begin = asked["first_step"] if after is None else max(asked["first_step"], after.step)
    builder = PageBuilder(after=after, **asked)
    blocks = sorted(stored, key=lambda block: (block.first_step, block.offset))
    builder.extend([block for block in blocks if block.last_step >= begin and block.first_step <= asked["last_step"]])
    return builder.page()


def read_all(stored: list[Block], **asked: Any) -> list[HistoryRow]:
    """Read all pages."""
    rows: list[HistoryRow] = []
    after: Cursor | None = None
    while True:
        page = read_page(stored, after, **asked)
        assert len(page.rows) <= asked["limit"]
        rows += page.rows
        if page.next is None:
            return rows
        assert after is None or page.next > after
        after = page.next


some_blocks = st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(-5, 25), min_size=1, max_size=6)), max_size=12)


@given(some_blocks, st.integers(1, 9), st.integers(1, 40))
def test_pages_contain_all_rows_in_order(blocks: list[tuple[int, list[int]]], limit: int, budget: int) -> None:
    """However blocks overlap, pages have every row once, in order, with late rows marked."""
    rows = read_all(
        store(blocks),
        selection=Selection.of(None),
        limit=limit,
        first_step=NO_STEP,
        last_step=GREATEST,
        budget=budget,
    )
    assert expected_rows(blocks) == rows


@given(some_blocks, st.integers(1, 9), st.integers(1, 40), st.integers(-5, 20), st.integers(0, 10))
def test_keys_and_steps_filter_rows_without_changing_them(
    blocks: list[tuple[int, list[int]]], limit: int, budget: int, first_step: int, width: int
) -> None:
    """Filtering by key and steps returns the rows of the full scan with the values of that key and the same marks."""
    rows = read_all(
        store(blocks),
        selection=Selection.of(["rare"]),
        limit=limit,
        first_step=first_step,
        last_step=first_step + width,
        budget=budget,
    )
    wanted = [
        (row.step, row.offset, row.order, row.late)
        for row in expected_rows(blocks)
        if "rare" in row.values and first_step <= row.step <= first_step + width
    ]
    assert wanted == [(row.step, row.offset, row.order, row.late) for row in rows]
    assert all(row.values == {"rare": {"x": 1.5}} for row in rows)
