"""Errors of the public API, below :class:`runstream.exceptions.Error`."""

from __future__ import annotations

from runstream.exceptions import Error
from runstream.server.client import AuthenticationError, ServerError

__all__ = ["AuthenticationError", "NotFoundError", "ServerError"]


class NotFoundError(Error, LookupError):
    """The server does not know the run or project (yet)."""
