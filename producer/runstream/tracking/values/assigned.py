"""Encoding of the values that users assign in config and summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.exceptions import DataError
from runstream.tracking.values.encoder import Conversion
from runstream.tracking.values.foreign import shown

if TYPE_CHECKING:
    from enum import Enum


class AssignedConversion(Conversion):
    """The conversion of values in config and summary: NaN becomes None, and a member of an enum its name, as in W&B."""

    def entries(self, items: list[tuple[Any, Any]], data: Any = None) -> dict[str, Any]:
        """Return keys and values as :meth:`Conversion.entries`; an empty key is left out with a warning."""
        found = super().entries(items, data)
        if "" in found:
            if self._encoder.strict:
                raise DataError("Invalid key '': expected a string that is not empty")
            self._encoder.warn(f"The empty key of {self._path[0]} is left out", f"key {self._path[0]}")
            del found[""]
        return found

    def number(self, value: float | None) -> Any:
        """Return the plain data of None, a boolean or a float."""
        found = super().number(value)
        return None if found != found else found  # noqa: PLR0124 - NaN is the one that differs from itself

    def member(self, value: Enum) -> Any:
        """Return the name of a member of an enum."""
        return self.value(value.name)

    def key(self, given: Any) -> str:
        """Return a key as text, with a warning if it is not a string but a top-level key."""
        key = str(given)
        if not isinstance(given, str) and len(self._around) == self._root:
            where = self._path[0]
            self._encoder.warn(f"The {where} key {shown(given)} is not a string; {key!r} is used", f"{where} {key}")
        return key
