"""Whose fault an error is."""

from __future__ import annotations

import asyncpg
import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaTimeoutError,
    RequestTimedOutError,
)

from runstream_consumers.runtime.faults import is_data_error, is_infrastructure_error
from runstream_schemas.exceptions import MalformedEvent


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        TypeError("x"),
        OverflowError("x"),
        RecursionError(),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"),
        MalformedEvent("x"),
        asyncpg.UntranslatableCharacterError("x"),
        asyncpg.NumericValueOutOfRangeError("x"),
        asyncpg.UniqueViolationError("x"),
        asyncpg.ProgramLimitExceededError("x"),
    ],
)
def test_errors_of_the_data_are_quarantined(error: Exception) -> None:
    """Trying the same event again would fail in the same way."""
    assert (is_data_error(error), is_infrastructure_error(error)) == (True, False)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        OSError("no route"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.LockNotAvailableError("x"),
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.DiskFullError("x"),
        asyncpg.QueryCanceledError("x"),
        KafkaConnectionError(),
        KafkaTimeoutError(),
        RequestTimedOutError(),
    ],
)
def test_errors_of_servers_are_waited_out(error: Exception) -> None:
    """A server, or the way to it, is to blame: nothing is skipped."""
    assert (is_data_error(error), is_infrastructure_error(error)) == (False, True)


@pytest.mark.parametrize(
    "error", [AttributeError("x"), AssertionError(), GroupAuthorizationFailedError(), asyncpg.UndefinedTableError("x")]
)
def test_mistakes_of_the_program_end_it(error: Exception) -> None:
    """What neither waiting nor quarantine helps against is left to a person."""
    assert (is_data_error(error), is_infrastructure_error(error)) == (False, False)
