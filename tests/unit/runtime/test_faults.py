"""Which errors are quarantined, which are retried, and which end the process."""

from __future__ import annotations

import errno
import urllib.error
from email.message import Message

import asyncpg
import httpx
import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaTimeoutError,
    RequestTimedOutError,
)
from asyncpg.exceptions import _base

from runstream_consumers.runtime.exceptions import TopicRecreated
from runstream_consumers.runtime.faults import is_data_error, is_infrastructure_error, is_message_error
from runstream_consumers.runtime.plugin import Later
from runstream_schemas.exceptions import MalformedEvent

_DATA, _CODE, _SERVER, _FATAL = (True, True, False), (False, True, False), (False, False, True), (False, False, False)


def classify(error: Exception) -> tuple[bool, bool, bool]:
    """Return whether an error is one of the data, of single messages, and of a server."""
    return is_data_error(error), is_message_error(error), is_infrastructure_error(error)


def answered(status: int) -> httpx.HTTPStatusError:
    """Return the error that httpx raises for a status."""
    request = httpx.Request("POST", "http://hook")
    return httpx.HTTPStatusError(str(status), request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    "error",
    [
        MalformedEvent("x"),
        asyncpg.UntranslatableCharacterError("x"),
        asyncpg.NumericValueOutOfRangeError("x"),
        asyncpg.UniqueViolationError("x"),
        asyncpg.ProgramLimitExceededError("x"),
        _base.DataError("invalid input for query argument $1"),
    ],
)
def test_violations_of_the_contract_and_rejected_values_are_data_errors(error: Exception) -> None:
    """The contract and Postgres decide that a message is wrong: it is quarantined, and that does not point to a bug."""
    assert classify(error) == _DATA


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        TypeError("x"),
        AttributeError("x"),
        AssertionError(),
        OverflowError("x"),
        RecursionError(),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"),
        OSError(errno.ENAMETOOLONG, "File name too long"),
        answered(400),
        urllib.error.HTTPError("http://hook", 404, "not found", Message(), None),
    ],
)
def test_exceptions_of_code_concern_a_message_and_may_be_a_bug(error: Exception) -> None:
    """What the consumer's code raises is quarantined as long as it stays rare, which the circuit breaker watches."""
    assert classify(error) == _CODE


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
        Later("busy"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        answered(429),
        answered(503),
        urllib.error.URLError("no route"),
        urllib.error.HTTPError("http://hook", 502, "bad gateway", Message(), None),
        KafkaConnectionError(),
        KafkaTimeoutError(),
        RequestTimedOutError(),
    ],
)
def test_errors_of_servers_are_retried(error: Exception) -> None:
    """A server, or the connection to it, failed: nothing is skipped."""
    assert classify(error) == _SERVER


@pytest.mark.parametrize(
    "error",
    [GroupAuthorizationFailedError(), asyncpg.UndefinedTableError("x"), TopicRecreated("x"), MemoryError()],
)
def test_errors_of_the_deployment_end_the_process(error: Exception) -> None:
    """Neither waiting nor quarantine helps."""
    assert classify(error) == _FATAL
