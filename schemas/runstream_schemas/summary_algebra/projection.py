"""The summary that is shown: the folds of the keys, as the definitions in force ask for, under what was set by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runstream_schemas.summary_algebra.assignments import Assigned, Assignments, Removed, lay, put
from runstream_schemas.summary_algebra.exact import fraction
from runstream_schemas.summary_algebra.fold import earlier_writers

if TYPE_CHECKING:
    from runstream_schemas.summary_algebra.definitions import Definition, Definitions
    from runstream_schemas.summary_algebra.fold import RunFold
    from runstream_schemas.summary_algebra.key import KeyFold, Path, Seen

#: For each writer the writers it continues, directly.
Continues = Mapping[bytes, frozenset[bytes]]


class Nothing:
    """Marks a key that the summary does not show."""


def summary_of(fold: RunFold) -> dict[str, Any]:
    """Return the summary of a run as readers get it: what is projected, and the place of the latest row."""
    tree = project(fold.keys, fold.manual, fold.definitions, fold.continues)
    return dict(sorted((tree | place(fold)).items()))


def place(fold: RunFold) -> dict[str, Any]:
    """Return what the summary says of the latest row.

    ``_step`` is the greatest step of any row, ``_timestamp`` the time of the latest in seconds since 1970, and
    ``_runtime`` how long after the run's start that was. Whatever is logged or set under these names gives way.
    """
    if fold.latest is None:
        return {}
    timestamp = fold.latest.value / 1_000_000
    start = fold.attributes.entries.get(("start_time",))
    runtime = {}
    if start is not None and isinstance(start.value, int | float):
        runtime["_runtime"] = max(0.0, round(timestamp - start.value, 6))
    return {**runtime, "_step": fold.latest.tag[0], "_timestamp": timestamp}


def project(
    keys: Mapping[Path, KeyFold], manual: Assignments, definitions: Definitions, continues: Continues
) -> dict[str, Any]:
    """Return the summary as a nested dict, its outermost names in alphabetical order."""
    tree = manual.resolve()
    for path in sorted(_surviving(keys)):
        fold = keys[path]
        value = _under_hand(path, fold, manual, definitions.of(path), continues)
        if value is not Nothing:
            put(tree, path, value)
    return dict(sorted(tree.items()))


def _under_hand(
    path: Path, fold: KeyFold, manual: Assignments, definition: Definition | None, continues: Continues
) -> Any:
    """Return what the summary shows of a key that was logged, or Nothing where what was set by hand stands."""
    first, last = fold.first, fold.last
    if first is None or last is None:
        return Nothing
    if not manual.entries:
        return shown(fold, definition)
    over, below = list(manual.around(path)), manual.below(path)
    if not all(_is_later(last, known, continues) for known in over):
        return Nothing
    changes = [(rest, known) for rest, known in below if not _is_later(last, known, continues)]
    replaced = [*over, *(known for _, known in below if _is_later(last, known, continues))]
    by_hand = any(known.value is not Removed and not _is_later(first, known, continues) for known in replaced)
    value = shown(fold, definition, by_hand=by_hand)
    if not changes:
        return value
    if not isinstance(value, dict) or value is last.value:
        return Nothing
    lay(value, changes)  # some of the aggregates were changed
    return value


def shown(fold: KeyFold, definition: Definition | None, *, by_hand: bool = False) -> Any:
    """Return what the summary shows of a key, or Nothing.

    Args:
        fold: What was logged under the key.
        definition: What speaks for it.
        by_hand: Whether it was set by hand after it was first logged: then its last value takes the place of that.
    """
    wanted = definition.summary if definition is not None else None
    if wanted and "none" in wanted:
        return Nothing
    if by_hand or not wanted or wanted == {"copy"}:
        return Nothing if fold.last is None else fold.last.value
    maximize = definition is not None and definition.goal is not None and definition.goal.startswith("max")
    aggregates = {name: _aggregate(fold, name, maximize=maximize) for name in sorted(wanted)}
    return {name: value for name, value in aggregates.items() if value is not Nothing} or Nothing


def _aggregate(fold: KeyFold, name: str, *, maximize: bool) -> Any:
    match name:
        case "last" | "first":
            seen = fold.last if name == "last" else fold.first
            return Nothing if seen is None else seen.value
        case "min" | "max" | "best":
            return high(fold) if name == "max" or (name == "best" and maximize) else low(fold)
        case "mean":
            return mean(fold)
    return Nothing


def low(fold: KeyFold) -> Any:
    """Return the smallest number, NaN if there was one, or Nothing without numbers."""
    if not fold.count:
        return Nothing
    if fold.nan:
        return math.nan
    return -math.inf if fold.below else math.inf if fold.low is None else fold.low


def high(fold: KeyFold) -> Any:
    """Return the greatest number, NaN if there was one, or Nothing without numbers."""
    if not fold.count:
        return Nothing
    if fold.nan:
        return math.nan
    return math.inf if fold.above else -math.inf if fold.high is None else fold.high


def mean(fold: KeyFold) -> Any:
    """Return the mean, rounded once; NaN if there was one, or Nothing without numbers."""
    if not fold.count:
        return Nothing
    if fold.nan or (fold.above and fold.below):
        return math.nan
    if fold.above or fold.below:
        return math.inf if fold.above else -math.inf
    return float(fraction(fold.sum) / fold.count)


def _surviving(keys: Mapping[Path, KeyFold]) -> set[Path]:
    """Return the paths that no later value replaced: a value at ``a`` replaces ``a.b``, and the other way round."""
    surviving = set(keys)
    for path, fold in keys.items():
        for depth in range(1, len(path)):
            outer = keys.get(path[:depth])
            if outer is not None and outer.last is not None and fold.last is not None:
                surviving.discard(path if outer.last.tag > fold.last.tag else path[:depth])
    return surviving


def _is_later(last: Seen, known: Assigned, continues: Continues) -> bool:
    if last.writer == known.writer:
        return last.tag[2] > known.order
    return known.writer in earlier_writers(continues, last.writer)
