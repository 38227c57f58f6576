"""Cursors of followers: what was sent, in a text that clients return unchanged (docs/adr/0033)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runstream_consumers.api.following.changed_runs import FIRST_RUN, Interval
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.history.arrivals.rows import BEGINNING, Place

#: Changes with the meaning of what follows it.
_VERSION = 1
_GREATEST = 2**63
_DIGEST_BYTES = 6
_EXPECTED = "expected the `id` of an event of this stream"
#: Messages in quarantine that a cursor remembers.
MOST_WAITING = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCursor:
    """What a follower of a run was sent."""

    #: After the last row.
    place: Place = BEGINNING
    #: Offsets of messages before the place whose rows were not sent, because they were in quarantine.
    waiting: tuple[int, ...] = ()
    #: Digests of the last summary, and of the last state and qualifiers.
    summary: str = ""
    state: str = ""
    #: How many transitions were sent.
    transitions: int = 0

    def text(self, query: str) -> str:
        """Return the cursor of a query, which is identified by a digest."""
        return _encode(query, [*self.place, self.transitions, self.summary, self.state, *self.waiting])

    @classmethod
    def parse(cls, text: str, query: str) -> RunCursor:
        """Return the cursor that a text is; raises BadParameter, also if it is of another query or version."""
        offset, seq, transitions, summary, state, *waiting = _decode(text, query, [int, int, int, str, str], rest=int)
        return cls(
            place=Place(offset, seq),
            waiting=tuple(waiting[:MOST_WAITING]),
            summary=summary,
            state=state,
            transitions=transitions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCursor:
    """What a follower of a project was sent: the changes before an interval, and of it those of runs up to one."""

    interval: Interval
    after: UUID = FIRST_RUN

    @classmethod
    def of_everything(cls) -> ProjectCursor:
        """Return the cursor after which all runs are sent."""
        return cls(interval=Interval(tables=0, first=0, end=0, since=0, until=0))

    def text(self, query: str) -> str:
        """Return the cursor of a query, which is identified by a digest."""
        one = self.interval
        return _encode(query, [one.tables, one.first, one.end, one.since, one.until, self.after.hex])

    @classmethod
    def parse(cls, text: str, query: str) -> ProjectCursor:
        """Return the cursor that a text is; raises BadParameter, also if it is of another query or version."""
        *numbers, after = _decode(text, query, [int, int, int, int, int, str])
        tables, first, end, since, until = (abs(number) for number in numbers)
        try:
            key = UUID(after)
        except ValueError:
            raise BadParameter("cursor", _EXPECTED) from None
        return cls(interval=Interval(tables=tables, first=first, end=end, since=since, until=until), after=key)


def digest(*parts: Any) -> str:
    """Return a short text that differs for different values."""
    text = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[: 2 * _DIGEST_BYTES]


def _encode(query: str, values: Sequence[int | str]) -> str:
    text = json.dumps([_VERSION, query, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str, query: str, kinds: Sequence[type], *, rest: type | None = None) -> list[Any]:
    try:
        values = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        values = None
    if not isinstance(values, list) or len(values) < 2:  # noqa: PLR2004 — version and query
        raise BadParameter("cursor", _EXPECTED)
    version, found, *values = values
    if version != _VERSION:
        raise BadParameter("cursor", f"it was made by another version ({version!r}): begin without a cursor")
    if found != query:
        raise BadParameter("cursor", "it is of another query: expected the `id` of an event of the same request")
    expected = [*kinds, *[rest or int] * (len(values) - len(kinds))]
    is_valid = len(values) >= len(kinds) and (rest is not None or len(values) == len(kinds))
    if not is_valid or not all(map(_fits, values, expected)):
        raise BadParameter("cursor", _EXPECTED)
    return values


def _fits(value: Any, kind: type) -> bool:
    return type(value) is kind and (not isinstance(value, int) or -_GREATEST <= value < _GREATEST)
