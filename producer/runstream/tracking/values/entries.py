"""The entries of the records of config and summary: lists, as they are stored in the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runstream.spool.fitting import fit_entries, groups
from runstream.spool.plain_values import fitted_key
from runstream.tracking.values.texts import encodable
from runstream_schemas.events import Operation, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runstream.tracking.values.encoder import ValueEncoder

#: Bytes of msgpack up to which entries fit into a message in any case.
_SMALL = 256 * 1024

#: [scope, operation, path, value]
ConfigEntry = list[Any]
#: [operation, path, value]
SummaryEntry = list[Any]


def config_entry(key: str, value: Any, scope: Scope = Scope.CONFIG) -> ConfigEntry:
    """Return the entry that sets a top-level key."""
    return [scope.value, Operation.SET.value, [key], value]


def recordable(entries: Sequence[list[Any]], encoder: ValueEncoder, kind: str) -> Iterator[list[list[Any]]]:
    """Yield entries as the values of records: valid UTF-8, and each small enough for a message.

    A value that is too large is replaced with a note, with a warning that names it.
    """
    try:
        length = len(msgspec.msgpack.encode(entries))
    except (TypeError, ValueError):  # such as a lone surrogate in the path of the program
        limit = encoder.limits.key_length
        entries = [
            [*start, [fitted_key(encodable(name), limit) for name in path], encoder.value(value)]
            for *start, path, value in entries
        ]
        length = len(msgspec.msgpack.encode(entries))
    if length <= _SMALL:
        yield list(entries)
        return
    fitted, missing = fit_entries(entries, encoder.limits)
    encoder.report_missing(missing, f"{kind} ")
    yield from groups(fitted, encoder.limits)
