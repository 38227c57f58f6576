"""Follows a run: rows in the order of their arrival, the summary, the state with its transitions, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.following.cursors import MOST_WAITING, RunCursor, digest
from runstream_consumers.api.following.messages import Message
from runstream_consumers.archive.stored_blocks import StoredBlocks
from runstream_consumers.history.arrivals.rows import Place, RowSelection, rows_after, rows_at
from runstream_consumers.history.paging import HistoryRow
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import values
from runstream_schemas.topics import RunPath

#: Rows of one event.
_ROWS = 500
#: Seconds between two looks at a run that has ended, but of which records have not arrived.
_SETTLING_S = 1.0
#: Bytes of summaries that are sent in a second: large ones are sent less often.
_SUMMARY_RATE = 250_000
#: The messages that are in quarantine, or were.
_QUARANTINED = """
select "offset", redriven is null as waits from runtime.quarantine
where sink = 'history' and topic = $1 and partition = $2 and (run = $3 or run is null)
    and ("offset" = any($4::bigint[]) or (redriven is null and "offset" > $5 and "offset" <= $6))
order by "offset"
"""

#: Provides a connection and the rows of runs as read over it.
Reading = Callable[[], AbstractAsyncContextManager[tuple[Connection, StoredBlocks]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """What is sent of a run."""

    rows: RowSelection
    #: Of ``rows``, ``summary`` and ``state``.
    parts: frozenset[str]
    #: Where messages that are in quarantine came from: Kafka's name of the topic, and the partition.
    source: tuple[str, int]

    @property
    def run(self) -> RunPath:
        """The run that is followed."""
        return self.rows.run

    @property
    def digest(self) -> str:
        """What distinguishes it from other queries."""
        keys = None if self.rows.keys is None else sorted(self.rows.keys)
        return digest("run", str(self.run), self.rows.stream, keys, self.rows.hidden, sorted(self.parts))


class RunFollower:
    """What a client was sent of a run, and what it is to be sent."""

    def __init__(self, reading: Reading, query: RunQuery, cursor: RunCursor) -> None:
        self._reading = reading
        self._query = query
        self._cursor = cursor
        self._summary_due = 0.0
        self._is_settling = False
        self.last: Message | None = None

    @property
    def look_again_s(self) -> float | None:
        """After how many seconds to look for changes that no table shows; None if there are none."""
        waits = [_SETTLING_S] if self._is_settling else []
        if self._summary_due:
            waits.append(max(self._summary_due - _now(), 0.1))
        return min(waits, default=None)

    async def unsent(self) -> AsyncIterator[Message]:
        """Yield what is stored and was not sent; raises RunNotFound if the run was deleted."""
        async with self._reading() as (connection, _):
            found = await documents.find(connection, self._query.run)
        state = found.state
        # The state is read before the rows: those of a run that had ended then have all arrived.
        has_ended = state is not None and state.state not in documents.OPEN
        self._is_settling = state is not None and "finishing" in state.qualifiers
        if "summary" in self._query.parts and (message := self._summary(found)) is not None:
            yield message
        if "rows" in self._query.parts:
            async for message in self._rows(found.client_start):
                yield message
        if "state" in self._query.parts and (message := self._state(found)) is not None:
            yield message
        if has_ended and not self._summary_due:
            self.last = self._message("end", values.dump({"state": state.state}) if state else None)

    def _summary(self, found: documents.FoundRun) -> Message | None:
        if _now() < self._summary_due:
            return None
        self._summary_due = 0.0
        text = values.dump(_selected(found.document.summary, self._query.rows.keys))
        if (mark := digest(text)) == self._cursor.summary:
            return None
        if len(text) > _SUMMARY_RATE:
            self._summary_due = _now() + len(text) / _SUMMARY_RATE
        self._cursor = replace(self._cursor, summary=mark)
        return self._message("summary", f'{{"summary": {text}}}')

    def _state(self, found: documents.FoundRun) -> Message | None:
        answer = documents.state_answer(found.state)
        mark = digest(answer.state, answer.qualifiers)
        # A run whose states are being recomputed has fewer for a time.
        count = max(len(answer.transitions), self._cursor.transitions)
        if mark == self._cursor.state and count == self._cursor.transitions:
            return None
        new = [item.model_dump(by_alias=True) for item in answer.transitions[self._cursor.transitions :]]
        self._cursor = replace(self._cursor, state=mark, transitions=count)
        content = {"state": answer.state, "qualifiers": answer.qualifiers, "transitions": new}
        return self._message("state", values.dump(content))

    async def _rows(self, started: float | None) -> AsyncIterator[Message]:
        """Yield the rows that have arrived, a part at a time."""
        while True:
            rows, cursor = await self._read()
            data = await asyncio.to_thread(_rendered, rows, started) if rows else None
            if data is None and cursor == self._cursor:
                return
            self._cursor = cursor
            yield self._message(None if data is None else "rows", data)

    async def _read(self) -> tuple[list[HistoryRow], RunCursor]:
        """Return the next rows and the cursor after them: those of a message that left quarantine come first."""
        cursor, selection = self._cursor, self._query.rows
        async with self._reading() as (connection, blocks), blocks.snapshot():
            page = await rows_after(blocks, selection, cursor.place, limit=_ROWS)
            left, waiting = await self._quarantined(connection, page.end)
            late = [] if left is None else await rows_at(blocks, selection, left)
        if late:
            return late, replace(cursor, waiting=tuple(offset for offset in cursor.waiting if offset != left))
        return page.rows, replace(cursor, place=page.end, waiting=waiting)

    async def _quarantined(self, connection: Connection, end: Place) -> tuple[int | None, tuple[int, ...]]:
        """Return the offset of a message that has left quarantine, and of those that wait up to a place without it."""
        before, run = self._cursor, run_key(self._query.run)
        places = (list(before.waiting), before.place.offset, end.offset)
        found = await connection.fetch(_QUARANTINED, *self._query.source, run, *places)
        left = next((row["offset"] for row in found if not row["waits"]), None)
        # One that is in no table is being read again, by a rebuild.
        waiting = {row["offset"] for row in found if row["waits"]} | (set(before.waiting) - {left})
        return left, tuple(sorted(waiting)[:MOST_WAITING])

    def _message(self, event: str | None, data: str | None) -> Message:
        return Message(event, data, self._cursor.text(self._query.digest))


def _rendered(rows: Sequence[HistoryRow], started: float | None) -> str:
    return values.dump({"rows": [_row_json(row, started) for row in rows]})


def _row_json(row: HistoryRow, started: float | None) -> dict[str, Any]:
    """Return a row as /scan has it; whether it is late depends on rows that may arrive later."""
    time = documents.seconds(row.time)
    runtime = {} if started is None else {"_runtime": max(0.0, round(time - started, 6))}
    position = {"_step": row.step, "_timestamp": time, **runtime, "_writer": row.writer.hex()}
    return {**row.values, **position, **({"_hidden": True} if row.hidden else {})}


def _selected(tree: Mapping[str, Any], keys: Sequence[str] | None, prefix: str = "") -> dict[str, Any]:
    """Return the values of nested dicts at some dotted paths or below them; all if there are none."""
    if keys is None or prefix[:-1] in keys:
        return dict(tree)
    found: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if path in keys:
            found[name] = value
        elif isinstance(value, Mapping) and (below := _selected(value, keys, f"{path}.")):
            found[name] = below
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()
