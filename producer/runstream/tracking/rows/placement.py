"""The rules of steps: which row a call of ``log()`` belongs to. Pure; described in docs/client.md."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from runstream.exceptions import DataError
from runstream.spool.chain import RowState
from runstream.spool.format import WHOLE, Flag, StreamCode, TopicCode, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS: Mapping[Flag, int] = {
    flags: kind_of(TopicCode.LOG, flags, StreamCode.HISTORY)
    for flags in (WHOLE, Flag.OPENS, Flag(0), Flag.CLOSES, WHOLE | Flag.LATE_ROW)
}
_INT64 = range(-(2**63), 2**63)
#: Late rows that may wait behind an open one, since rows are published in the order in which they began.
MAX_LATE_ROWS = 1000


class RowPlacement(NamedTuple):
    """Where one call goes."""

    #: Topic, flags and stream of its record.
    kind: int
    #: The row.
    seq: int
    step: int
    #: Where the writer is in its rows then.
    after: RowState
    #: Whether the row lies below the greatest step, or at one that is closed: it is then whole, and the open row stays.
    late: bool
    #: Whether it is another row than the one that was open, which therefore ends.
    ends_open: bool


def place_row(rows: RowState, step: int | None, commit: bool | None) -> RowPlacement:  # noqa: FBT001 - the arguments of log()
    """Return where a call goes; ``step`` and ``commit`` are those of ``log()``, validated.

    Without a step it goes to the open row, or to one at the counter. Without ``commit`` the row is complete unless a
    step is given.
    """
    seq, counter, open_step, open_row = rows
    at = counter if step is None else step
    if at < counter:
        return _late(rows, at)
    closes = step is None if commit is None else bool(commit)
    joins = at == open_step
    kind = _KINDS[(Flag(0) if joins else Flag.OPENS) | (Flag.CLOSES if closes else Flag(0))]
    row, following = (open_row, seq) if joins else (seq, seq + 1)
    after = RowState(following, at + closes, None if closes else at, row)
    return RowPlacement(kind, row, at, after, late=False, ends_open=not joins)


def _late(rows: RowState, at: int) -> RowPlacement:
    seq, counter, open_step, open_row = rows
    if open_step is None:
        return RowPlacement(
            _KINDS[WHOLE], seq, at, RowState(seq + 1, counter, None, open_row), late=True, ends_open=False
        )
    if seq - open_row > MAX_LATE_ROWS:
        return RowPlacement(
            _KINDS[WHOLE], seq, at, RowState(seq + 1, counter + 1, None, open_row), late=True, ends_open=True
        )
    kind = _KINDS[WHOLE | Flag.LATE_ROW]
    return RowPlacement(kind, seq, at, RowState(seq + 1, counter, open_step, open_row), late=True, ends_open=False)


def validate_step(step: Any) -> int:
    """Return a step as an integer of 64 bits; raises DataError if it is not one."""
    try:
        number = None if isinstance(step, bool) else operator.index(step)
    except TypeError:
        number = None
    if number is None:
        raise DataError(f"step is an integer, not {step!r:.60}; nothing of this call was recorded")
    if number not in _INT64:
        raise DataError(f"the step {number} is beyond 64 bits; nothing of this call was recorded")
    return number


def validate_commit(commit: Any) -> bool:
    """Return whether a row is complete, given as a boolean (numpy's, too), 0 or 1; raises DataError."""
    if isinstance(commit, (bool, int)) or type(commit).__module__ == "numpy":
        return bool(commit)
    raise DataError(f"commit is True or False, not {commit!r:.60}; nothing of this call was recorded")
