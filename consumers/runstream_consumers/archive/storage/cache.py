"""A cache of bounded size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Keeps what was used last, up to a number of bytes; may be used by several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._items: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """Return an item, None if there is none."""
        with self._lock:
            found = self._items.get(key)
            if found is None:
                return None
            self._items.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, item: T, size: int) -> None:
        """Add an item of so many bytes, or set its size; others are removed to make room."""
        with self._lock:
            _, before = self._items.pop(key, (None, 0))
            self._items[key] = (item, size)
            self._used += size - before
            while self._used > self._size and len(self._items) > 1:
                _, (_, freed) = self._items.popitem(last=False)
                self._used -= freed
