"""From events to rows: one row for each step of each event file, whatever was written at that step. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstream.tensorboard.requests import Request

#: Folders that Keras makes below its own; they are part of the names even where there is no other.
_KERAS = frozenset({"train", "validation"})
#: ``events.out.tfevents.TIME.HOST.PID.NUMBER``; tensorboardX leaves out what follows the host.
_NAME = re.compile(r"tfevents\.(?P<time>\d+)\.(?:.*?\.(?P<pid>\d+)\.\d+(?:\D.*)?$)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Values that one event holds."""

    step: int
    #: Microseconds since 1970.
    time: int
    values: dict[str, Any]
    #: Number of the event in its file, from 1 on.
    number: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file is in rows: so many of its events."""

    file: str
    number: int


@dataclass(slots=True)
class Row:
    """What was written at one step to one file."""

    step: int
    time: int
    place: Place
    values: dict[str, Any] = field(default_factory=dict)


class Rows:
    """Joins the events of each file to rows, in the order in which they were written."""

    def __init__(self) -> None:
        self._open: dict[str, Row] = {}

    def add(self, file: str, prefix: str, point: Point) -> Row | None:
        """Take an event; return the row of its file that it closes, if it does."""
        row, closed = self._open.get(file), None
        place = Place(file, point.number)
        if row is None or row.step != point.step:
            closed = row
            row = Row(point.step, point.time, place, {_named(prefix, "global_step"): point.step})
            self._open[file] = row
        row.values |= {_named(prefix, key): value for key, value in point.values.items()}
        row.time, row.place = point.time, place
        return closed

    def close(self) -> list[Row]:
        """Close and return the rows that are open: nothing more will come."""
        rows = sorted(self._open.values(), key=lambda row: row.time)
        self._open = {}
        return rows


def prefix_of(folder: str, request: Request, first: str) -> str:
    """Return what the names of a folder's values begin with, without the slash behind it.

    Args:
        folder: Where the event file lies.
        request: What asked for it.
        first: The first folder of the run that was asked for.
    """
    base = request.root
    if not base:
        below = folder == first or folder.startswith(first + os.sep)
        base = first if below else os.path.commonpath([first, folder])
        if folder == first and os.path.basename(first) in _KERAS:  # noqa: PTH119 - of a string
            base = os.path.dirname(first)  # noqa: PTH120
    relative = os.path.relpath(folder, base)
    return "" if relative == "." else relative


def is_of(name: str, request: Request, started: int) -> bool:
    """Tell whether an event file belongs to a run that started then, in seconds since 1970, by what its name says."""
    found = _NAME.search(name)
    if "tfevents" not in name or name.endswith(".profile-empty"):
        return False
    if found is None:
        return True
    if int(found["time"]) < started:
        return False
    return not request.pid or found["pid"] is None or int(found["pid"]) == request.pid


def _named(prefix: str, key: str) -> str:
    return f"{prefix}/{key}" if prefix else key
