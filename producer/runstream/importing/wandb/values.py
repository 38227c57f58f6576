"""Values in the items of W&B's records, which are JSON by key path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.importing.wandb.fields import ItemField

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runstream.importing.records import KeyPath
    from runstream.importing.wandb.wire import Message

#: Keys of W&B itself, which are no values of the user.
OWN = frozenset({"_wandb", "_runtime", "_timestamp", "_step"})
_KEY, _NESTED_KEY, _VALUE_JSON = map(int, ItemField)


_decode = msgspec.json.Decoder().decode


class UnreadableValueError(ValueError):
    """A value that is not JSON."""


def items(messages: Iterable[Message]) -> Iterator[tuple[KeyPath, str]]:
    """Yield key path and JSON of each item."""
    for item in messages:
        path = tuple(item.texts(_NESTED_KEY)) or (item.text(_KEY),)
        yield path, item.text(_VALUE_JSON)


def parsed(text: str) -> Any:
    """Return the value in a JSON text, NaN and infinities included; raises UnreadableValueError."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:  # a tenth as fast, for NaN, infinities, and numbers beyond 64 bits
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableValueError(str(error) or type(error).__name__) from error


def seconds(timestamp: Message | None) -> float:
    """Return a timestamp as seconds since 1970, 0 without one."""
    return 0.0 if timestamp is None else timestamp.number(1) + timestamp.number(2) / 1e9


def leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the values in nested dicts with their paths; dicts of media are values."""
    if isinstance(value, dict) and value and "_type" not in value:
        for name, inner in value.items():
            yield from leaves((*path, name), inner)
    else:
        yield path, value
