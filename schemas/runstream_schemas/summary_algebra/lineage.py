"""Which writers continue which, directly or not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def earlier_writers(continues: Mapping[bytes, Iterable[bytes]], writer: bytes) -> set[bytes]:
    """Return the writers that a writer continues, directly or indirectly."""
    found: set[bytes] = set()
    waiting = [writer]
    while waiting:
        new = set(continues.get(waiting.pop(), ())) - found - {writer}
        found |= new
        waiting.extend(new)
    return found


class Lineage:
    """Answers whether a writer continues another one; the answers for all writers cost little more than for one.

    Each writer has a bit. The bits of all that a writer continues are those of its direct ones and of what these
    continue; writers that continue each other, which no client writes, are found as in Tarjan's algorithm.
    """

    def __init__(self, continues: Mapping[bytes, Iterable[bytes]]) -> None:
        self._continues = continues
        self._bits: dict[bytes, int] = {}
        self._earlier: dict[bytes, int] = {}

    def is_earlier(self, known: bytes, writer: bytes) -> bool:
        """Return whether a writer continues a ``known`` other one."""
        if not self._continues or known == writer:
            return False
        if writer not in self._earlier:
            self._visit(writer)
        return bool(self._earlier[writer] & self._bits.get(known, 0))

    def _visit(self, start: bytes) -> None:
        numbers, least, open_ = {start: 0}, {start: 0}, [start]
        path = [(start, iter(self._continues.get(start, ())))]
        while path:
            writer, rest = path[-1]
            following = next((one for one in rest if self._is_new(one, writer, numbers, least)), None)
            if following is not None:
                numbers[following] = least[following] = len(numbers)
                open_.append(following)
                path.append((following, iter(self._continues.get(following, ()))))
                continue
            path.pop()
            if path:
                least[path[-1][0]] = min(least[path[-1][0]], least[writer])
            if least[writer] == numbers[writer]:
                self._close(writer, open_)

    def _is_new(self, one: bytes, writer: bytes, numbers: Mapping[bytes, int], least: dict[bytes, int]) -> bool:
        if one in numbers and one not in self._earlier:
            least[writer] = min(least[writer], numbers[one])
        return one not in numbers and one not in self._earlier

    def _close(self, writer: bytes, open_: list[bytes]) -> None:
        """Set the bits of the last open writers from ``writer`` on, which continue each other."""
        together = [open_.pop()]
        while together[-1] != writer:
            together.append(open_.pop())
        found = 0
        for member in together:
            if len(together) > 1:
                found |= self._bit(member)
            for one in self._continues.get(member, ()):
                found |= self._bit(one) | self._earlier.get(one, 0)
        self._earlier.update(dict.fromkeys(together, found))

    def _bit(self, writer: bytes) -> int:
        return self._bits.setdefault(writer, 1 << len(self._bits))
