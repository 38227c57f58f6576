"""Reading of foreign objects, whose methods may raise anything or never end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from runstream.spool.plain_values import note
from runstream.tracking.values.texts import encodable

#: Entries of a mapping and elements of a sequence that are read.
MOST_ITEMS = 1_000_001
#: The key of a note about keys that cannot be read.
UNREADABLE_KEYS = "[unreadable]"
_LONGEST_PROBLEM = 200


class Unreadable(NamedTuple):
    """Stands for a value that could not be read."""

    error: Exception


def items_of(data: Any) -> list[tuple[Any, Any]]:
    """Return keys and values of a mapping. A value that cannot be read is :class:`Unreadable`."""
    if type(data) is dict:
        return [*data.items()]
    try:
        return [(key, value) for key, value in islice(data.items(), MOST_ITEMS)]
    except Exception:  # noqa: BLE001 - one of the values, perhaps: they are read one by one
        return items_by_key(data)


def items_by_key(data: Any) -> list[tuple[Any, Any]]:
    """Return keys and values of an object with ``keys()``, as :func:`items_of` does."""
    try:
        keys = [*islice(data.keys(), MOST_ITEMS)]
    except Exception as error:  # noqa: BLE001 - anything
        return [(UNREADABLE_KEYS, Unreadable(error))]
    return [(key, attempted(lambda key=key: data[key])) for key in keys]  # type: ignore[misc]


def attributes_of(value: Any, names: Iterable[str]) -> list[tuple[str, Any]]:
    """Return names and values of attributes, as :func:`items_of` does."""
    return [(name, attempted(lambda name=name: getattr(value, name))) for name in names]  # type: ignore[misc]


def elements_of(values: Any) -> list[Any]:
    """Return the elements of a collection. One that cannot be read is :class:`Unreadable`."""
    if type(values) in {list, tuple, set, frozenset, deque}:
        return [*values]
    try:
        return [*islice(values, MOST_ITEMS)]
    except Exception as error:  # noqa: BLE001 - anything
        count = attempted(lambda: min(len(values), MOST_ITEMS) if isinstance(values, Sequence) else None)
        if not isinstance(count, int):
            return [Unreadable(error)]
    return [attempted(lambda at=at: values[at]) for at in range(count)]  # type: ignore[misc]


def attempted(read: Callable[[], Any]) -> Any:
    """Return the result of a function, or :class:`Unreadable` if it raises an exception."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - anything
        return Unreadable(error)


def text_of(value: Any) -> str:
    """Return the text of any object; a note if it has none."""
    text = attempted(lambda: str(value))
    return note(problem_of(text.error)) if isinstance(text, Unreadable) else encodable(str.__str__(text))


def shown(value: Any) -> str:
    """Return how an object is shown in a message: at most 60 characters of its representation, or its type."""
    text = attempted(lambda: f"{value!r:.60}")
    return described(value) if isinstance(text, Unreadable) else encodable(str.__str__(text))


def problem_of(error: Exception) -> str:
    """Return the class and the message of an exception, in one line of at most 200 characters."""
    message = attempted(lambda: str(error))
    text = "" if isinstance(message, Unreadable) else " ".join(encodable(str.__str__(message)).split())
    name = type(error).__name__
    return f"{name}: {text}"[:_LONGEST_PROBLEM] if text else name


def described(value: Any) -> str:
    """Return the type of a value, for a message."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a value of type {name}"
