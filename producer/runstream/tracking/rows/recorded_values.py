"""Last values of the rows that were appended, worked out only when they are asked for."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from runstream.spool.format import RECORD_TAIL
from runstream.spool.row_merge import merge, without_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_decode = msgspec.msgpack.Decoder().decode
#: Records kept of each key list: the one with the greatest order is the last, although a thread that was interrupted
#: may have noted an earlier one after it.
_RECENT = 8
#: Key lists and changes that are remembered, so that a program that keeps inventing keys does not fill the memory.
_MAX_PENDING = 1000

Path = tuple[str, ...]


class LastValues:
    """Accumulates the last value of each key over rows.

    The last value is that of the greatest step; among rows of one step, that of the later one. A late row therefore
    only changes keys that no row of a greater step has. None changes nothing.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        #: Step of the last value of each key.
        self._steps: dict[Path, int] = {}

    def add(self, values: Mapping[str, Any], step: int) -> None:
        """Add a row whose step is not lower than those before it."""
        merge(self.values, without_none(values))
        self._steps.update(dict.fromkeys((path for path, _ in _leaves(values)), step))

    def add_late(self, values: Mapping[str, Any], step: int) -> None:
        """Add a row below the greatest step."""
        for path, value in _leaves(values):
            if all(step >= known for known in self._around(path)):
                merge(self.values, nested(path, value))
                self._steps[path] = step

    def copy(self) -> LastValues:
        """Return an independent copy."""
        other = LastValues()
        other.values = without_none(self.values)
        other._steps = dict(self._steps)
        return other

    def _around(self, path: Path) -> Iterator[int]:
        """Yield the steps of a key, of the keys that contain it, and of the keys that it contains."""
        value: Any = self.values
        for depth, name in enumerate(path, 1):
            if not isinstance(value, dict) or name not in value:
                return
            value = value[name]
            if path[:depth] in self._steps:
                yield self._steps[path[:depth]]
        if isinstance(value, dict):
            yield from (self._steps[path + inner] for inner, _ in _leaves(value) if path + inner in self._steps)


@dataclass(slots=True, eq=False)
class KeyList:
    """A list of keys that was logged and validated, with the latest records that have it."""

    keys: list[str]
    #: Bytes of a row of these keys whose values are all floats.
    length: int
    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=_RECENT))
    #: Order of the record whose values were applied last.
    applied: int = -1


class Effect(IntEnum):
    """What a record does to the last values."""

    #: The values count from the end of their row on.
    HOLD = 0
    #: The open row has ended.
    RELEASE = 1
    #: The row is below the greatest step.
    LATE = 2
    #: The row is whole.
    ROW = 3


class _Change(NamedTuple):
    order: int
    effect: Effect
    step: int
    payload: bytes


class RecordedValues:
    """Keeps the last values of one writer's rows. Safe with threads and signal handlers.

    Appends only leave notes, by single calls of ``deque.append``; the notes are applied by order when values are read.
    """

    def __init__(self) -> None:
        self._last = LastValues()
        self._lock = threading.RLock()
        self._applying = False
        self._key_lists: dict[tuple[str, ...], KeyList] = {}
        self._pending: deque[_Change] = deque()
        #: Values of the open row, as of the last call of :meth:`values`; they are not in the last values yet.
        self.held: dict[str, Any] = {}
        self._held_step = 0
        #: Whether values may be held, by a note or in fact.
        self.holding = False

    def key_list(self, keys: tuple[str, ...]) -> KeyList | None:
        """Return the key list of a row, None if it was not logged before."""
        return self._key_lists.get(keys)

    def add_key_list(self, keys: tuple[str, ...], length: int) -> KeyList:
        """Return the key list of a row, added if need be; for the length see :class:`KeyList`."""
        if len(self._key_lists) >= _MAX_PENDING:
            self.values()
            self._key_lists.clear()
        return self._key_lists.setdefault(keys, KeyList([*keys], length))

    def note(self, effect: Effect, order: int, step: int = 0, payload: bytes = b"") -> None:
        """Note what a record does; see :class:`Effect`."""
        if effect is Effect.HOLD:
            self.holding = True
        self._pending.append(_Change(order, effect, step, payload))
        if len(self._pending) > _MAX_PENDING:
            self.values()

    def seed(self, values: dict[str, Any], step: int) -> None:
        """Add a value that an earlier writer logged, as nested dicts."""
        self._last.add_late(values, step)

    def values(self) -> dict[str, Any]:
        """Return the last value of every key, nested as it was logged."""
        with self._lock:
            if not self._applying:  # else a signal handler interrupted that: it gets the values as they are
                self._applying = True
                try:
                    self._apply()
                finally:
                    self._applying = False
            return self._last.values

    def update(self, apply: Callable[[dict[str, Any]], None]) -> None:
        """Have a function change the last values in place."""
        with self._lock:
            apply(self.values())

    def copy(self) -> RecordedValues:
        """Return an independent copy, for a forked child: the locks of another thread are not copied."""
        other = RecordedValues()
        self._lock = threading.RLock()
        self._applying = False
        self.values()
        other._last = self._last.copy()
        return other

    def _apply(self) -> None:
        """Apply the notes. They are removed afterwards, so that an interrupted call is repeated by the next one."""
        pending = list(self._pending)
        rows = [(key_list, _latest(list(key_list.recent))) for key_list in list(self._key_lists.values())]
        rows = [(key_list, row) for key_list, row in rows if row.order > key_list.applied]
        for change in sorted([*pending, *(row for _, row in rows)], key=lambda change: change.order):
            self._apply_one(change)
        for key_list, row in rows:
            key_list.applied = row.order
        for _ in pending:
            self._pending.popleft()
        self.holding = bool(self.held or self._pending)

    def _apply_one(self, change: _Change) -> None:
        if change.effect is Effect.RELEASE:
            self._last.add(self.held, self._held_step)
            self.held = {}
        elif change.effect is Effect.HOLD:
            merge(self.held, _decode(change.payload))
            self._held_step = change.step
        elif change.effect is Effect.LATE:
            self._last.add_late(_decode(change.payload), change.step)
        else:
            self._last.add(_decode(change.payload), change.step)


def _latest(bodies: list[bytes]) -> _Change:
    """Return the change that the latest of some records makes, each of which is a whole row."""
    found = _Change(-1, Effect.ROW, 0, b"")
    for body in bodies:
        _, order, _, step, _ = RECORD_TAIL.unpack_from(body)
        if order > found.order:
            found = _Change(order, Effect.ROW, step, body[RECORD_TAIL.size :])
    return found


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return nested dicts that hold a value under a path."""
    for name in reversed(path):
        value = {name: value}
    return cast("dict[str, Any]", value)


def _leaves(values: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        elif value is not None:
            yield (*above, key), value
