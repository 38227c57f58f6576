"""Classify errors: of a server (pause and retry), of a message (quarantine it), of the deployment (stop)."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from http import HTTPStatus

import asyncpg
from aiokafka.errors import KafkaError, KafkaTimeoutError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Later
from runstream_schemas.exceptions import ContractError

log = logging.getLogger(__name__)

#: SQLSTATE classes caused by the values of a row: data exception, integrity constraint violation, program limit.
_DATA_CLASSES = ("22", "23", "54")

#: SQLSTATE classes caused by a statement whatever its values: feature not supported, syntax error or access rule.
_STATEMENT_CLASSES = ("0A", "42")

#: What asyncpg raises for errors of a connection, or of its use; the second if Postgres ends it during a query.
CLIENT_ERRORS: tuple[type[Exception], ...] = (asyncpg.InterfaceError, asyncpg.InternalClientError)
#: What asyncpg raises, except for an OSError.
POSTGRES_ERRORS: tuple[type[Exception], ...] = (asyncpg.PostgresError, *CLIENT_ERRORS)

_HTTP_STATUS = range(300, 600)
#: Status codes below 500 by which an HTTP service asks for another attempt: timeout, too early, too many requests.
_REPEATABLE_STATUS = frozenset({408, 425, 429})

#: Errors of a file name, which may be made of the names in a message.
_NAME_ERRORS = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.ENOTDIR})
#: Errors of connections that are no OSError, by package. They are found by name because a consumer may use any library.
_CONNECTION_ERRORS = {"aiohttp": ("ClientConnectionError", "ClientPayloadError"), "httpx": ("TransportError",)}


def is_data_error(error: BaseException) -> bool:
    """Whether the content of a message is to blame: it violates the contract, or Postgres rejects its values."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(_DATA_CLASSES)
    # asyncpg raises a ValueError that is also an InterfaceError for values it cannot encode.
    is_unencodable = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return is_unencodable or isinstance(error, ContractError)


def is_message_error(error: BaseException) -> bool:
    """Whether an error concerns single messages: a data error, or an exception that the consumer's code raises.

    The latter may as well be a bug that affects all messages; see :mod:`runstream_consumers.runtime.progress.breaker`.
    """
    if is_data_error(error):
        return True
    known = (*POSTGRES_ERRORS, KafkaError, MemoryError, RuntimeFault)
    return isinstance(error, Exception) and not isinstance(error, known) and not is_service_error(error)


def is_service_error(error: BaseException) -> bool:
    """Whether a service that a consumer uses cannot be reached, or answers that it cannot do its work now.

    If the service has answered with an HTTP status, that decides: a request that it rejects is not repeated.
    """
    if isinstance(error, Later):
        return True
    if (status := _http_status(error)) is not None:
        return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _REPEATABLE_STATUS
    return (isinstance(error, OSError) and error.errno not in _NAME_ERRORS) or any(
        kind.__name__ in _CONNECTION_ERRORS.get(kind.__module__.partition(".")[0], ()) for kind in type(error).__mro__
    )


def _http_status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of httpx, requests, aiohttp or urllib; None if it has none."""
    response = getattr(error, "response", None)
    found = (getattr(response, "status_code", None), getattr(error, "status", None), getattr(error, "code", None))
    return next((int(status) for status in found if isinstance(status, int) and status in _HTTP_STATUS), None)


def is_infrastructure_error(error: BaseException) -> bool:
    """Whether a server or the connection to it failed, so that trying again later helps."""
    if isinstance(error, POSTGRES_ERRORS):
        return not is_data_error(error) and not str(getattr(error, "sqlstate", "")).startswith(_STATEMENT_CLASSES)
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
    return is_service_error(error)


def retrying(
    options: Options, is_retriable: Callable[[BaseException], bool] = is_infrastructure_error
) -> AsyncRetrying:
    """Return what repeats an action after growing pauses while it fails retriably; each such failure is logged."""
    return AsyncRetrying(
        retry=retry_if_exception(is_retriable),
        wait=wait_random_exponential(multiplier=options.initial_backoff, max=options.max_backoff),
        before_sleep=_log_retry,
        reraise=True,
    )


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("waiting for a server (attempt %d): %s: %s", state.attempt_number, type(error).__name__, error)
