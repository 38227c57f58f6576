"""The last value of every key that a process logged: what its summary begins with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str, ...]


class LastValues:
    """Folds rows to the last value of each key.

    The last value is that of the greatest step, and of rows of one step that of the later one: a late row changes
    only keys that no row of a greater step has. None changes nothing.
    """

    def __init__(self) -> None:
        #: Nested as it was logged.
        self.values: dict[str, Any] = {}
        #: The step at which a key got its value.
        self._steps: dict[Path, int] = {}

    def take(self, values: Mapping[str, Any], step: int) -> None:
        """Take a row in step order."""
        merge(self.values, values, skip_none=True)
        self._steps.update(dict.fromkeys((path for path, _ in _leaves(values)), step))

    def take_late(self, values: Mapping[str, Any], step: int) -> None:
        """Take a row below the greatest step."""
        for path, value in _leaves(values):
            if all(step >= known for known in self._around(path)):
                merge(self.values, nested(path, value))
                self._steps[path] = step

    def copy(self) -> LastValues:
        """Return one that goes on from here by itself."""
        other = LastValues()
        merge(other.values, self.values)
        other._steps = dict(self._steps)
        return other

    def _around(self, path: Path) -> Iterator[int]:
        """Yield the steps of a key, of what it lies in, and of what lies in it."""
        value: Any = self.values
        for depth, name in enumerate(path, 1):
            if not isinstance(value, dict) or name not in value:
                return
            value = value[name]
            if path[:depth] in self._steps:
                yield self._steps[path[:depth]]
        if isinstance(value, dict):
            yield from (self._steps[path + inner] for inner, _ in _leaves(value) if path + inner in self._steps)


def merge(target: dict[str, Any], source: Mapping[str, Any], *, skip_none: bool = False) -> None:
    """Merge a nested dict into another, in place; a dict meets a dict key by key, everything else is replaced."""
    for key, value in source.items():
        old = target.get(key)
        if isinstance(value, dict):
            if not isinstance(old, dict):
                if not value:
                    continue
                old = target[key] = {}
            merge(old, value, skip_none=skip_none)
        elif value is not None or not skip_none:
            target[key] = value


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a value as it lies under a path."""
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
