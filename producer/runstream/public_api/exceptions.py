"""Errors of the public API, below :class:`runstream.exceptions.Error`."""

from __future__ import annotations

from runstream.server.api_connection import NotFoundError
from runstream.server.client import AuthenticationError, ServerError

__all__ = ["AuthenticationError", "NotFoundError", "ServerError"]
