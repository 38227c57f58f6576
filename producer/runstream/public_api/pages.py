"""Sequences of which the pages are read as they are needed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Pages(Sequence[T], Generic[T]):
    """Items that the server returns page by page; those that were read are kept."""

    def __init__(self) -> None:
        self._found: list[T] = []
        self._next: str | None = None
        self._ended = False

    @abstractmethod
    def _page(self, after: str | None) -> tuple[list[T], str | None]:
        """Read the page after a position, the first one for None; return its items and the position after it."""

    def __iter__(self) -> Iterator[T]:
        index = 0
        while index < len(self._found) or self._read():
            yield self._found[index]
            index += 1

    def __len__(self) -> int:
        """Return the number of items; reads all pages."""
        while self._read():
            pass
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, int) and index >= 0:
            while index >= len(self._found) and self._read():
                pass
        else:
            len(self)
        return self._found[index]

    def _read(self) -> bool:
        """Read the next page that has an item; return whether there is one."""
        items: list[T] = []
        while not (items or self._ended):
            items, self._next = self._page(self._next)
            self._ended = self._next is None
        self._found += items
        return bool(items)
