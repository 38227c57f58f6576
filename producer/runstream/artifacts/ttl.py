"""The lifetime of a version."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum


class ArtifactTTL(Enum):
    """``INHERIT``: a version has the lifetime of its collection."""

    INHERIT = 0


#: In records and events: the lifetime of the collection, and no end.
INHERITED, NO_END = 0, -1


def to_seconds(ttl: timedelta | ArtifactTTL | None) -> int:
    """Return a lifetime as it is recorded: seconds, 0 for that of the collection, -1 for no end.

    Raises ValueError if it is not positive, TypeError if it has another type.
    """
    if ttl is None:
        return NO_END
    if isinstance(ttl, ArtifactTTL):
        return INHERITED
    if not isinstance(ttl, timedelta):
        raise TypeError(f"Invalid ttl of type {type(ttl).__name__}: expected a timedelta, ArtifactTTL.INHERIT or None")
    if (seconds := int(ttl.total_seconds())) <= 0:
        raise ValueError(f"Invalid ttl {ttl!r}: expected at least one second")
    return seconds


def from_seconds(seconds: int) -> timedelta | None:
    """Return a recorded lifetime; None for no end and for that of a collection without one."""
    return timedelta(seconds=seconds) if seconds > 0 else None
