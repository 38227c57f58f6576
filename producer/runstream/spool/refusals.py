"""When an append is refused, and what is done on a full disk."""

from __future__ import annotations

from enum import Enum


class DiskPolicy(Enum):
    """What an append does when the disk is full."""

    DROP = "drop"
    BLOCK = "block"
    RAISE = "raise"


class ForkedError(Exception):
    """The writer belongs to the parent of this process."""


class ClosedError(Exception):
    """The writer has appended its last record."""
