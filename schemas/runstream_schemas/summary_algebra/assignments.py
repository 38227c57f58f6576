"""Values assigned to key paths. The latest assignment to a path, or to a dict that contains it, wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runstream_schemas.summary_algebra.key_state import Path

#: Orders assignments: the greatest tag, compared item by item, is the latest.
Tag = tuple[int, ...]


class Removed:
    """Marks a path whose value was removed."""


class Assigned(NamedTuple):
    """One assignment: its tag, its writer, the writer's ``order``, and the value (or Removed)."""

    tag: Tag
    writer: bytes
    order: int
    value: Any


class Assignments:
    """The assignments in effect; the result does not depend on the order in which they are made.

    Only assignments that no later one covers are kept: an assignment to ``a`` replaces earlier ones to ``a.b``.
    """

    def __init__(self) -> None:
        self.entries: dict[Path, Assigned] = {}
        #: Every path that has ever been above an entry.
        self._above: set[Path] = set()

    def assign(self, path: Path, assigned: Assigned) -> None:
        """Add an assignment."""
        for depth in range(1, len(path) + 1):
            known = self.entries.get(path[:depth])
            if known is not None and known.tag >= assigned.tag:
                return
        if path in self._above:
            for covered in [inner for inner in self.entries if _is_below(inner, path)]:
                if self.entries[covered].tag < assigned.tag:
                    del self.entries[covered]
        self.entries[path] = assigned
        self._above.update(path[:depth] for depth in range(1, len(path)))

    def around(self, path: Path) -> Iterator[Assigned]:
        """Yield the assignments to a path and to the dicts that contain it."""
        for depth in range(1, len(path) + 1):
            known = self.entries.get(path[:depth])
            if known is not None:
                yield known

    def below(self, path: Path) -> list[tuple[Path, Assigned]]:
        """Return the assignments below a path, each with the rest of its path."""
        if path not in self._above:
            return []
        return [(inner[len(path) :], known) for inner, known in self.entries.items() if _is_below(inner, path)]

    def of(self, selects: Callable[[str], bool]) -> Assignments:
        """Return the assignments to paths whose first name is selected."""
        part = Assignments()
        for path, assigned in self.entries.items():
            if selects(path[0]):
                part.assign(path, assigned)
        return part

    def resolve(self) -> dict[str, Any]:
        """Return the nested dict that results from the assignments."""
        tree: dict[str, Any] = {}
        apply(tree, self.entries.items())
        return tree


def apply(tree: dict[str, Any], assignments: Iterable[tuple[Path, Assigned]]) -> None:
    """Apply assignments to a nested dict, the latest last."""
    for path, assigned in sorted(assignments, key=lambda item: (item[1].tag, item[0])):
        if assigned.value is Removed:
            remove(tree, path)
        else:
            put(tree, path, copied(assigned.value))


def put(tree: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at a path of a nested dict; values on the path that are not dicts are replaced."""
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    tree[path[-1]] = value


def remove(tree: dict[str, Any], path: Path) -> None:
    """Remove the value at a path, if there is one."""
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.pop(path[-1], None)


def copied(value: Any) -> Any:
    """Return a copy of a value that shares no dict with the original."""
    return {name: copied(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _is_below(path: Path, other: Path) -> bool:
    return len(path) > len(other) and path[: len(other)] == other
