"""From events to rows: one row for each step of each event file. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any

from runstream.tensorboard.requests import Request

#: Folders that Keras makes; they are always part of the names, even if there is only one of them.
_KERAS_FOLDERS = frozenset({"train", "validation"})
#: ``events.out.tfevents.TIME.HOST.PID.NUMBER``; tensorboardX omits everything after the host.
_FILE_NAME = re.compile(r"tfevents\.(?P<time>\d+)\.(?:.*?\.(?P<pid>\d+)\.\d+(?:\D.*)?$)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a file, with its values by tag."""

    step: int
    #: Microseconds since 1970.
    time: int
    values: dict[str, Any]
    #: Number of the event in its file, starting at 1.
    number: int


@dataclass(frozen=True, slots=True)
class FilePosition:
    """How many events of a file are in rows."""

    file: str
    number: int


@dataclass(slots=True)
class EventRow:
    """The values of one step of one file."""

    step: int
    time: int
    position: FilePosition
    values: dict[str, Any] = field(default_factory=dict)


class RowBuilder:
    """Joins the events of each file to rows, in the order in which they were written."""

    def __init__(self) -> None:
        self._open: dict[str, EventRow] = {}

    def add(self, file: str, prefix: str, event: Event) -> EventRow | None:
        """Add an event to the open row of its file; return that row if the event has another step and closes it."""
        row, closed = self._open.get(file), None
        position = FilePosition(file, event.number)
        if row is None or row.step != event.step:
            closed = row
            row = EventRow(event.step, event.time, position, {value_name(prefix, "global_step"): event.step})
            self._open[file] = row
        row.values |= {value_name(prefix, tag): value for tag, value in event.values.items()}
        row.time, row.position = event.time, position
        return closed

    def close(self) -> list[EventRow]:
        """Close and return the open rows, since no more events will come."""
        rows = sorted(self._open.values(), key=lambda row: row.time)
        self._open = {}
        return rows


def name_prefix(folder: str, request: Request, first: str) -> str:
    """Return the first part of the names of values in a folder, without a trailing slash.

    ``first`` is the first folder that was requested in the run.
    """
    base = request.root
    if not base:
        below = folder == first or folder.startswith(first + os.sep)
        base = first if below else os.path.commonpath([first, folder])
        if folder == first and os.path.basename(first) in _KERAS_FOLDERS:  # noqa: PTH119 - of a string
            base = os.path.dirname(first)  # noqa: PTH120
    relative = os.path.relpath(folder, base)
    return "" if relative == "." else relative


def is_requested(name: str, request: Request, started: int) -> bool:
    """Return whether a file is an event file that belongs to a request, judging by its name.

    A file from before ``started``, in seconds since 1970, belongs to another run.
    """
    found = _FILE_NAME.search(name)
    if "tfevents" not in name or name.endswith(".profile-empty"):
        return False
    if found is None:
        return True
    if int(found["time"]) < started:
        return False
    return not request.pid or found["pid"] is None or int(found["pid"]) == request.pid


def file_time(name: str) -> int:
    """Return when an event file was begun, in seconds since 1970, by its name; 0 if that has no time."""
    found = _FILE_NAME.search(name)
    return int(found["time"]) if found else 0


def value_name(prefix: str, tag: str) -> str:
    """Return the name of a value in a folder, made of the prefix of the folder and the tag."""
    return f"{prefix}/{tag}" if prefix else tag
