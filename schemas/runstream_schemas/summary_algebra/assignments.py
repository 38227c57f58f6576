"""Values assigned to key paths. The latest assignment to a path, or to a dict that contains it, wins."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runstream_schemas.summary_algebra.key_state import Path

#: Orders assignments: the greatest tag, compared item by item, is the latest.
Tag = tuple[int, ...]
#: Replaced assignments that are kept before the index is built again.
_FEW = 64


class Removed:
    """Marks a path whose value was removed."""


class Assigned(NamedTuple):
    """One assignment: its tag, its writer, the writer's ``order``, and the value (or Removed)."""

    tag: Tag
    writer: bytes
    order: int
    value: Any


class _Node:
    """A path, and what is assigned to it and below it."""

    __slots__ = ("assigned", "below", "inner")

    def __init__(self) -> None:
        self.assigned: Assigned | None = None
        #: None while there is nothing below, as of most paths.
        self.inner: dict[str, _Node] | None = None
        #: Tags and paths that were assigned below, the oldest first; some may have been replaced since.
        self.below: list[tuple[Tag, Path]] | None = None

    def at(self, name: str) -> _Node:
        """Return the node of a name, which is made if there is none."""
        if self.inner is None:
            self.inner = {}
        node = self.inner.get(name)
        if node is None:
            node = self.inner[name] = _Node()
        return node

    def find(self, path: Path) -> _Node | None:
        """Return the node of a path, if there is one."""
        node: _Node | None = self
        for name in path:
            if node is None or node.inner is None:
                return None
            node = node.inner.get(name)
        return node


class Assignments:
    """The assignments in effect; the result does not depend on the order in which they are made.

    Only assignments that no later one covers are kept: an assignment to ``a`` replaces earlier ones to ``a.b``. Each
    costs time proportional to the length of its path, and to the logarithm of the number of assignments.
    """

    def __init__(self) -> None:
        self.entries: dict[Path, Assigned] = {}
        self._root = _Node()
        #: Number of entries that were replaced since the nodes were built, and are still in them.
        self._stale = 0

    def assign(self, path: Path, assigned: Assigned) -> bool:
        """Add an assignment; return whether it is in effect."""
        node, above = self._root, []
        if len(path) == 1 and (node.inner is None or path[0] not in node.inner):
            # Most are: nothing is assigned around it.
            node.at(path[0]).assigned = self.entries[path] = assigned
            return True
        for name in path:
            above.append(node)
            node = node.at(name)
            if node.assigned is not None and node.assigned.tag >= assigned.tag:
                return False
        while node.below and node.below[0][0] < assigned.tag:
            self._remove(*heappop(node.below))
        self._stale += node.assigned is not None
        node.assigned = self.entries[path] = assigned
        for outer in above[1:]:
            if outer.below is None:
                outer.below = []
            heappush(outer.below, (assigned.tag, path))
        if self._stale > len(self.entries) + _FEW:
            self._rebuild()
        return True

    def changes_tree(self, path: Path) -> bool:
        """Return whether :func:`apply` leads from the tree before the assignment to a path to the tree after it.

        It does not if a later one is below the path, and if a nested value was removed, which may leave an empty dict.
        """
        node = self._root.find(path)
        assert node is not None, "something was assigned to the path"  # noqa: S101
        is_removed = node.assigned is not None and node.assigned.value is Removed
        return not node.below and not (is_removed and len(path) > 1)

    def around(self, path: Path) -> Iterator[Assigned]:
        """Yield the assignments to a path and to the dicts that contain it."""
        node = self._root
        for name in path:
            if (inner := node.find((name,))) is None:
                return
            node = inner
            if node.assigned is not None:
                yield node.assigned

    def below(self, path: Path) -> list[tuple[Path, Assigned]]:
        """Return the assignments below a path, each with the rest of its path."""
        node = self._root.find(path)
        if node is None or node.below is None:
            return []
        known = {inner: self.entries[inner] for tag, inner in node.below if self._is_current(tag, inner)}
        return [(inner[len(path) :], assigned) for inner, assigned in known.items()]

    def of(self, names: Iterable[str]) -> Assignments:
        """Return the assignments whose paths begin with one of these names."""
        found = Assignments()
        for name in names:
            for assigned in self.around((name,)):
                found.assign((name,), assigned)
            for rest, assigned in self.below((name,)):
                found.assign((name, *rest), assigned)
        return found

    def resolve(self) -> dict[str, Any]:
        """Return the nested dict that results from the assignments."""
        tree: dict[str, Any] = {}
        if self.entries:
            apply(tree, self.entries.items())
        return tree

    def _is_current(self, tag: Tag, path: Path) -> bool:
        known = self.entries.get(path)
        return known is not None and known.tag == tag

    def _remove(self, tag: Tag, path: Path) -> None:
        """Remove an assignment that a later one covers, unless it was replaced before."""
        if self._is_current(tag, path):
            node = self._root.find(path)
            assert node is not None, "it was assigned"  # noqa: S101
            node.assigned = None
            del self.entries[path]
            self._stale += 1

    def _rebuild(self) -> None:
        """Build the nodes again, without what was replaced."""
        self.entries, entries = {}, self.entries
        self._root, self._stale = _Node(), 0
        for path, assigned in entries.items():
            self.assign(path, assigned)


def apply(tree: dict[str, Any], assignments: Iterable[tuple[Path, Assigned]]) -> None:
    """Apply assignments to a nested dict, the latest last."""
    for path, assigned in sorted(assignments, key=lambda item: (item[1].tag, item[0])):
        if assigned.value is Removed:
            remove(tree, path)
        else:
            value = copied(assigned.value) if isinstance(assigned.value, dict) else assigned.value
            put(tree, path, value)


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
