"""Last value of every key that a process logged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.spool.joining import merge, without_none

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str, ...]


class LastValues:
    """Accumulates the last value of each key over rows.

    The last value is that of the greatest step; among rows of one step, that of the later one. A late row therefore
    only changes keys that no row of a greater step has. None changes nothing.
    """

    def __init__(self) -> None:
        #: Last values, nested as they were logged.
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


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return nested dicts that hold a value under a path."""
    for name in reversed(path):
        value = {name: value}
    found: dict[str, Any] = value
    return found


def _leaves(values: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        elif value is not None:
            yield (*above, key), value
