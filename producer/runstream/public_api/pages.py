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
        self._read_until(None)
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> Any:
        self._read_until(_needed(index))
        return self._found[index]

    def _read_until(self, count: int | None) -> None:
        """Read pages until there are so many items, or all."""
        while (count is None or len(self._found) < count) and self._read():
            pass

    def _read(self) -> bool:
        """Read the next page that has an item; return whether there is one."""
        items: list[T] = []
        while not (items or self._ended):
            items, self._next = self._page(self._next)
            self._ended = self._next is None
        self._found += items
        return bool(items)


def _needed(index: int | slice) -> int | None:
    """Return how many items an index needs; None for all."""
    last = index.stop if isinstance(index, slice) else index + 1
    starts = (0 if index.start is None else index.start) if isinstance(index, slice) else index
    is_forward = not isinstance(index, slice) or (index.step or 1) > 0
    return last if last is not None and last >= 0 and starts >= 0 and is_forward else None
