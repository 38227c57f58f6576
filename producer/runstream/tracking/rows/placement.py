"""Rules of steps: the row that a call of ``log()`` belongs to; see docs/client.md. Pure."""

from __future__ import annotations

import contextlib
import operator
from typing import Any, NamedTuple

from runstream.exceptions import DataError
from runstream.spool.chain import RowState
from runstream.spool.format import WHOLE, Flag, StreamCode, TopicCode, kind_of
from runstream.tracking.values.foreign import shown


def _kind(flags: Flag) -> int:
    return kind_of(TopicCode.LOG, flags, StreamCode.HISTORY)


#: Kinds of records by whether they open a row and whether they close it. Numbers, since operations on flags are slow.
_KINDS = ((_kind(Flag(0)), _kind(Flag.CLOSES)), (_kind(Flag.OPENS), _kind(WHOLE)))
_WHOLE = _kind(WHOLE)
_LATE_ROW = _kind(WHOLE | Flag.LATE_ROW)
GREATEST_STEP = 2**63 - 1
_INT64 = range(-GREATEST_STEP - 1, GREATEST_STEP + 1)
#: Late rows that may wait for an open row, since rows are published in the order in which they were opened.
MAX_LATE_ROWS = 1000


class RowPlacement(NamedTuple):
    """The row that one call belongs to."""

    #: Topic, flags and stream of its record.
    kind: int
    #: Number and step of the row.
    seq: int
    step: int
    #: Position of the writer in its rows after the call.
    after: RowState
    #: Whether the row is below the greatest step, or at a closed one: it is then whole, and the open row stays open.
    late: bool
    #: Whether the call opens another row than the open one, which ends.
    ends_open: bool


def place_row(rows: RowState, step: int | None, commit: bool | None) -> RowPlacement:  # noqa: FBT001 - the arguments of log()
    """Return the row that a call belongs to; ``step`` and ``commit`` are the validated arguments of ``log()``.

    Without a step it is the open row, or one at the counter. Without ``commit`` the row is complete unless a step is
    specified.
    """
    seq, counter, open_step, open_row = rows
    at = counter if step is None else step
    if at < counter:
        return _late(rows, at)
    closes = step is None if commit is None else bool(commit)
    joins = at == open_step
    kind = _KINDS[not joins][closes]
    row, following = (open_row, seq) if joins else (seq, seq + 1)
    after = RowState(following, at + closes, None if closes else at, row)
    return RowPlacement(kind, row, at, after, late=False, ends_open=not joins)


def _late(rows: RowState, at: int) -> RowPlacement:
    """Return the place of a row at an earlier step: a separate row. The open row ends if too many rows wait for it."""
    seq, counter, open_step, open_row = rows
    ends_open = open_step is not None and seq - open_row > MAX_LATE_ROWS
    kind = _WHOLE if open_step is None or ends_open else _LATE_ROW
    after = RowState(seq + 1, counter + ends_open, None if ends_open else open_step, open_row)
    return RowPlacement(kind, seq, at, after, late=True, ends_open=ends_open)


def validate_step(step: Any) -> int:
    """Return a step as an integer of 64 bits; raises DataError if it is not one."""
    try:
        number = None if isinstance(step, bool) else operator.index(step)
    except Exception:  # noqa: BLE001 - of a foreign class
        number = None
    if number is None:
        raise DataError(f"step is an integer, not {shown(step)}; nothing of this call was recorded")
    if number not in _INT64:
        raise DataError(f"the step {number} is beyond 64 bits; nothing of this call was recorded")
    return number


def validate_commit(commit: Any) -> bool:
    """Return whether a row is complete, given as a boolean (numpy's, too), 0 or 1; raises DataError."""
    if isinstance(commit, (bool, int)) or type(commit).__module__ == "numpy":
        with contextlib.suppress(Exception):  # such as an array
            return bool(commit)
    raise DataError(f"commit is True or False, not {shown(commit)}; nothing of this call was recorded")
