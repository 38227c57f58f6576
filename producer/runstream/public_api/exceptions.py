"""Errors of the public API, below :class:`runstream.exceptions.Error`."""

from __future__ import annotations

from runstream.exceptions import CommError, UsageError
from runstream.server.api_connection import NotFoundError
from runstream.server.client import AuthenticationError, ServerError

__all__ = ["AuthenticationError", "InvalidFilterError", "MissingFileError", "NotFoundError", "ServerError"]


class MissingFileError(NotFoundError, CommError):
    """The run has no such file, or its content is not stored. In W&B it is a CommError."""


class InvalidFilterError(UsageError, CommError, ValueError):
    """The server does not accept a filter, an order or another condition. In W&B it is a CommError or a ValueError."""
