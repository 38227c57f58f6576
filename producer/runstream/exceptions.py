"""What Runstream raises. One root; the leaf says whose fault it is."""

from __future__ import annotations


class Error(Exception):
    """Root of everything that Runstream raises on purpose."""


class UsageError(Error):
    """A call that makes no sense here: a bad argument of ``init()``, or a write to a finished run."""


class ConfigError(UsageError):
    """A config that cannot be read, or a change of a config value that nobody allowed."""


class CommError(Error):
    """The server cannot be reached, or answers with an error."""


class DataError(Error, TypeError, ValueError):
    """What was passed to ``log()``, config or summary cannot be recorded; nothing of that call was."""


class DiskFullError(Error):
    """There is no room for the spool, and ``disk="raise"`` is set; nothing of that call was recorded."""


class UnsupportedError(Error, NotImplementedError):
    """A name of W&B's interface that this version does not carry out; nothing of the call was done."""
