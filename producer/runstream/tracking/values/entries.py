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

    A value of config or summary that is too large is kept as a file, with a warning that names it; a part of it is
    missing if that is not possible.
    """
    try:
        length = len(msgspec.msgpack.encode(entries))
    except (TypeError, ValueError):  # such as a lone surrogate in the path of the program
        limit = encoder.limits.key_length
        entries = [
            [*start, [fitted_key(encodable(name), limit) for name in path], encoder.value(value, whole=_is_own(start))]
            for *start, path, value in entries
        ]
        length = len(msgspec.msgpack.encode(entries))
    if length <= _SMALL:
        yield list(entries)
        return
    kept = encoder.value_files(kind)
    longest = encoder.limits.string_length
    entries = [
        [*start, path, kept.without_long_texts(path, value, longest) if _is_own(start) else value]
        for *start, path, value in entries
    ]
    own = {id(path) for *start, path, _ in entries if _is_own(start)}
    fitted, missing = fit_entries(
        entries, encoder.limits, lambda path, value: kept.keep(path, value) if id(path) in own else None
    )
    encoder.report_missing(missing, f"{kind} ")
    yield from groups(fitted, encoder.limits)


def _is_own(start: Sequence[Any]) -> bool:
    """Return whether the beginning of an entry is that of a value of the user: of config or summary."""
    return len(start) == 1 or start[0] == Scope.CONFIG.value
