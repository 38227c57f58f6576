"""Errors of the public API, below :class:`runstream.exceptions.Error`."""

from __future__ import annotations

from runstream.exceptions import CommError, Error, UsageError
from runstream.server.api_connection import NotFoundError
from runstream.server.client import AuthenticationError, ServerError

__all__ = [
    "AuthenticationError",
    "IncompleteRunHistoryError",
    "InvalidFilterError",
    "MissingFileError",
    "NotFoundError",
    "ServerError",
    "WandbApiFailedError",
]


class MissingFileError(NotFoundError, CommError):
    """The run has no such file, or its content is not stored. In W&B it is a CommError."""


class InvalidFilterError(UsageError, CommError, ValueError):
    """The server does not accept a filter, an order or another condition. In W&B it is a CommError or a ValueError."""


class IncompleteRunHistoryError(Error):
    """Rows of the run are not in Parquet files yet, and the complete history is required."""


class WandbApiFailedError(CommError):
    """The server does not answer a request for Parquet files, or its object store does not; the name is W&B's."""
