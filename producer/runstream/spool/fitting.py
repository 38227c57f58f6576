"""Making records fit into a message: only the parts of a row or a change that are too large become notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runstream.spool.plain_values import note, plain
from runstream_schemas import values
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstream_schemas.limits import Limits

#: The key of the note about keys of a row that are left out because there are too many, and of the file with them.
OTHERS, MORE = "[not recorded]", "[more values]"
#: What a column or an entry takes besides names and value, rounded up.
_PART_BYTES = 32
#: Bytes of a value that is not replaced, since a note is hardly shorter; or, if it can be kept as a file, a reference.
_SMALL, _SMALL_FILE = 128, 2048
#: Files for the largest values of a record; if that is not enough, there is one for all other values.
_MOST_FILES = 16

#: Keeps a value, with its path, in a file; returns a reference to that, or None if that is not possible.
Keep = Callable[[Sequence[str], Any], Any]


class _Part:
    """A value within a record."""

    __slots__ = ("length", "path", "size", "value")

    def __init__(self, path: Sequence[str], value: Any) -> None:
        self.path, self.value = path, value
        self.length = 9 if type(value) in {int, float} else len(values.dump(value))
        self.size = self.length + _PART_BYTES + sum(len(name.encode(errors="replace")) + 2 for name in path)

    def replace(self, value: Any) -> None:
        """Replace the value."""
        changed = _Part(self.path, value)
        self.value, self.length, self.size = value, changed.length, changed.size

    @property
    def name(self) -> str:
        """The names of the path, joined with dots."""
        return ".".join(self.path)


def room(limits: Limits = DEFAULT_LIMITS) -> int:
    """Return how many bytes of a message the columns of a row or the entries of a change may take: all but 16 KiB."""
    return limits.message_bytes - max(limits.message_bytes // 128, 2048)


def fit_row(
    row: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS, keep: Keep | None = None
) -> tuple[Mapping[str, Any], list[str]]:
    """Return a row of plain values that fits into a message, and the names of the keys that it lacks, if any.

    The largest values are replaced first, if possible with references to files. If there are too many keys for a
    message, the last ones are left out, or kept in one file.
    """
    parts = [_Part(path, value) for path, value in _leaves(row)]
    if sum(part.size for part in parts) <= room(limits):
        return row, []
    if keep is not None:
        _keep_largest(parts, room(limits), keep)
    kept, missing, others = _fit(parts, room(limits))
    found: dict[str, Any] = {}
    for part in kept:
        _set(found, part.path, part.value)
    if others:
        found[OTHERS] = others
    return found, missing


def _keep_largest(parts: list[_Part], most: int, keep: Keep) -> None:
    """Keep the largest values in files until the total fits, and then the last values together in one.

    What cannot be kept stays as it is.
    """
    total = sum(part.size for part in parts)
    for part in sorted(parts, key=lambda part: -part.length)[:_MOST_FILES]:
        if total <= most or part.length <= _SMALL_FILE or (reference := keep(part.path, part.value)) is None:
            break
        total -= part.size
        part.replace(reference)
        total += part.size
    last = len(parts)
    while last and total > most - (_SMALL_FILE if last < len(parts) else 0):
        last -= 1
        total -= parts[last].size
    others: dict[str, Any] = {}
    for part in parts[last:]:
        _set(others, part.path, part.value)
    if others and (reference := keep([MORE], others)) is not None:
        parts[last:] = [_Part([MORE], reference)]


def fit_change(entries: Sequence[Sequence[Any]], limits: Limits = DEFAULT_LIMITS) -> tuple[list[list[Any]], list[str]]:
    """Return the entries of a change that fit into one message together, and the names of those that were changed."""
    plain_entries = [[*start, path, plain(value, limits, limits.depth)] for *start, path, value in entries]
    parts = [_Part(path, value) for *_, path, value in plain_entries]
    kept, missing, others = _fit(parts, room(limits))
    found = [
        [*start, path, part.value] for (*start, path, _), part in zip(plain_entries[: len(kept)], kept, strict=True)
    ]
    if others:
        found.append([*plain_entries[len(kept)][:-2], [OTHERS], others])
    return found, missing


def fit_entries(
    entries: Sequence[Sequence[Any]], limits: Limits = DEFAULT_LIMITS, keep: Keep | None = None
) -> tuple[list[list[Any]], list[str]]:
    """Return the entries of a change, each small enough for a message, and the names of those with a part missing.

    The last two elements of an entry are its path and its value, which is kept in a file if possible.
    """
    found, missing = [], []
    for *start, path, value in entries:
        part = _Part(path, value)
        if part.size > room(limits) and keep is not None and (reference := keep(path, value)) is not None:
            part.replace(reference)
        if part.size > room(limits):
            _replace(part, part.size - room(limits))
            missing.append(part.name)
        found.append([*start, path, part.value])
    return found, missing


def groups(entries: Sequence[Sequence[Any]], limits: Limits = DEFAULT_LIMITS) -> Iterator[list[list[Any]]]:
    """Yield the entries of a change in groups that fit into a message each."""
    group: list[list[Any]] = []
    left = room(limits)
    for entry in entries:
        size = _Part(entry[-2], entry[-1]).size
        if group and size > left:
            yield group
            group, left = [], room(limits)
        group.append([*entry])
        left -= size
    if group:
        yield group


def _fit(parts: Sequence[_Part], most: int) -> tuple[Sequence[_Part], list[str], str]:
    """Replace the largest parts, and leave out the last ones, until the rest fits.

    Return the rest, the names of the parts of which something is missing, and a note about those that are left out.
    """
    total = sum(part.size for part in parts)
    missing, total = _replace_largest(parts, total, most)
    kept = len(parts)
    while kept and total > most - (_SMALL if kept < len(parts) else 0):
        kept -= 1
        total -= parts[kept].size
    others = [part.name for part in parts[kept:]]
    text = note(f"{len(others)} keys, for which a message has no room") if others else ""
    return parts[:kept], [*missing, *others], text


def _replace_largest(parts: Sequence[_Part], total: int, most: int) -> tuple[list[str], int]:
    """Replace large values with notes until the total fits; return their names, and the new total."""
    missing = []
    for part in sorted(parts, key=lambda part: -part.length):
        if total <= most or part.length <= _SMALL:
            break
        before = part.size
        _replace(part, total - most)
        total += part.size - before
        missing.append(part.name)
    return missing, total


def _replace(part: _Part, excess: int) -> None:
    """Replace a value with a note, or a string with its beginning, if that saves so many bytes."""
    problem = f"{part.length} bytes, for which a message has no room"
    text, target = part.value, part.length - excess - _SMALL
    if isinstance(text, str) and target > _SMALL:
        length = len(text) * target // part.length
        while len(values.dump(text[:length])) > target:
            length = length * 3 // 4
        part.replace(f"{text[:length]}… [shortened from {len(text)} characters]")
    else:
        part.replace(note(problem))


def _leaves(row: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _set(into: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        into = into.setdefault(name, {})
    into[last] = value
