"""Which columns a reader asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream_schemas.events import Column, LogEvent


def key_of(path: Iterable[str]) -> str:
    """Return the key of a column: the names of its path joined by dots."""
    return ".".join(path)


@dataclass(slots=True)
class Selection:
    """Keys, each of which means the column of that key and all columns below it; None means every column."""

    keys: frozenset[str] | None
    _known: dict[tuple[str, ...], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[str] | None) -> Selection:
        """Return the selection of some keys."""
        return cls(None if keys is None else frozenset(keys))

    def selects(self, path: tuple[str, ...]) -> bool:
        """Tell whether a column was asked for."""
        if self.keys is None:
            return True
        answer = self._known.get(path)
        if answer is None:
            answer = self._known[path] = not self.keys.isdisjoint(_ancestors(key_of(path)))
        return answer

    def columns(self, event: LogEvent) -> list[Column]:
        """Return the columns of a block that were asked for."""
        return [column for column in event.columns if self.selects(column.path)]

    def narrow(self, event: LogEvent) -> LogEvent:
        """Return a block with only the columns that were asked for."""
        return event if self.keys is None else replace(event, columns=self.columns(event))


def _ancestors(key: str) -> Iterable[str]:
    yield key
    for index, character in enumerate(key):
        if character == ".":
            yield key[:index]
