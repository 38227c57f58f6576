"""Changed copies of events."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from runstream_schemas.events import Event, Header

EventT = TypeVar("EventT", bound=Event)
_HEADER = frozenset(item.name for item in fields(Header))


def changed(event: EventT, **changes: Any) -> EventT:
    """Return an event with other values of some of its fields or of fields of its header."""
    header = replace(event.header, **{name: changes.pop(name) for name in changes.keys() & _HEADER})
    return replace(event, header=header, **changes)
