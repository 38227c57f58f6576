"""Which values of W&B's summary were assigned: the others follow from the rows and the metric definitions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from runstream.importing.wandb.values import OWN, leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream.importing.records import KeyPath

_AGGREGATES = frozenset({"min", "max", "mean", "best", "last", "first"})


class AssignedSummary:
    """Follows the rows and the summary of a run."""

    def __init__(self) -> None:
        self._logged: dict[KeyPath, Any] = {}
        self._summary: dict[KeyPath, Any] = {}

    def log(self, path: KeyPath, value: Any) -> None:
        """Note a value of a row."""
        self._logged[path] = value

    def update(self, path: KeyPath, value: Any) -> None:
        """Note a value of the summary, in place of those below its path."""
        if path[0] in OWN:
            return
        self.remove(path)
        self._summary.update(leaves(path, value))

    def remove(self, path: KeyPath) -> None:
        """Note that a value of the summary is removed."""
        if self._summary.pop(path, self) is self:
            depth = len(path)
            for below in [known for known in self._summary if known[:depth] == path]:
                del self._summary[below]

    def values(self) -> dict[KeyPath, Any]:
        """Return the values that do not follow from the rows."""
        return dict(self._assigned())

    def _assigned(self) -> Iterator[tuple[KeyPath, Any]]:
        logged = {path: leaf for key, value in self._logged.items() for path, leaf in leaves(key, value)}
        for path, value in self._summary.items():
            derived = path[-1] in _AGGREGATES and path[:-1] in logged
            if not derived and not (path in logged and _same(logged[path], value)):
                yield path, value


def _same(one: Any, other: Any) -> bool:
    both = isinstance(one, float) and isinstance(other, float)
    return (both and math.isnan(one) and math.isnan(other)) or bool(one == other)
