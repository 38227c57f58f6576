"""What an append does when the disk is full."""

from __future__ import annotations

from enum import Enum

#: Seconds between two attempts to get room on a full disk.
RETRY_S = 0.1


class DiskPolicy(Enum):
    """What an append does when the disk is full."""

    DROP = "drop"
    BLOCK = "block"
    RAISE = "raise"


class ForkedError(Exception):
    """The writer belongs to the parent of this process."""


class ClosedError(Exception):
    """The writer has appended its last record."""
