"""The entries of the records of config and summary: lists, as they are stored in the spool."""

from __future__ import annotations

from typing import Any

from runstream_schemas.events import Operation, Scope

#: [scope, operation, path, value]
ConfigEntry = list[Any]
#: [operation, path, value]
SummaryEntry = list[Any]


def config_entry(key: str, value: Any, scope: Scope = Scope.CONFIG) -> ConfigEntry:
    """Return the entry that sets a top-level key."""
    return [scope.value, Operation.SET.value, [key], value]
