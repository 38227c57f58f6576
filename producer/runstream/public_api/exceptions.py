"""Errors of reading back, below :class:`runstream.exceptions.Error`."""

from __future__ import annotations

from runstream.exceptions import CommError, Error


class NotFoundError(Error, LookupError):
    """What was asked for is not known to the server (yet)."""


class AuthenticationError(CommError):
    """The server does not accept the token."""


class ServerError(CommError):
    """The server answered that it can't serve the request."""
