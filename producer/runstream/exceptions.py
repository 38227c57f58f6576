"""The exceptions that Runstream raises."""

from __future__ import annotations


class Error(Exception):
    """Base class of all exceptions of Runstream."""


class UsageError(Error):
    """An invalid call, such as an invalid argument of ``init()`` or a write to a finished run."""


class ConfigError(UsageError):
    """A config that cannot be read, or a change of a config value that is not allowed."""


class CommError(Error):
    """The server cannot be reached or answered with an error."""


class DataError(Error, TypeError, ValueError):
    """Data of ``log()``, config or summary cannot be recorded; nothing of the call was."""


class DiskFullError(Error):
    """The disk is full, and ``disk="raise"`` is set; nothing of the call was recorded."""
