"""Whose fault an error is: the data's (quarantine, go on) or the infrastructure's (pause, try again, skip nothing)."""

from __future__ import annotations

import asyncpg
from aiokafka.errors import KafkaError, KafkaTimeoutError

from runstream_schemas.exceptions import ContractError

#: SQLSTATE classes that the values of a row bring about: data exception, integrity constraint, program limit.
_DATA_CLASSES = ("22", "23", "54")

#: … and those that a statement itself brings about, whatever its values: not supported, syntax or access rule.
_PROGRAM_CLASSES = ("0A", "42")

_DATA_ERRORS = (ArithmeticError, ContractError, LookupError, RecursionError, TypeError, ValueError)


def is_data_error(error: BaseException) -> bool:
    """Tell whether trying the same event again would fail in the same way."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(_DATA_CLASSES)
    return isinstance(error, _DATA_ERRORS) and not isinstance(error, OSError)


def is_infrastructure_error(error: BaseException) -> bool:
    """Tell whether a server, or the way to it, is to blame, so that trying later helps."""
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return not is_data_error(error) and not str(getattr(error, "sqlstate", "")).startswith(_PROGRAM_CLASSES)
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
    return isinstance(error, OSError)
