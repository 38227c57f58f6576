"""The projection: the summary that is displayed for a summary state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runstream_schemas.attributes import start_time
from runstream_schemas.summary_algebra.assignments import Assigned, Assignments, Removed, apply, put
from runstream_schemas.summary_algebra.exact import fraction
from runstream_schemas.summary_algebra.lineage import Lineage

if TYPE_CHECKING:
    from runstream_schemas.summary_algebra.definitions import Definition, Definitions
    from runstream_schemas.summary_algebra.key_state import KeyState, Path, Seen
    from runstream_schemas.summary_algebra.summary_state import SummaryState

#: For each writer the writers it continues, directly.
Continues = Mapping[bytes, frozenset[bytes]]


class Nothing:
    """Marks a key that is not displayed."""


def summary_of(state: SummaryState) -> dict[str, Any]:
    """Return the summary of a run as it is served to readers: its projection and the fields of the latest row."""
    tree = project(state.keys, state.manual, state.definitions, state.continues)
    return dict(sorted((tree | latest_row_fields(state)).items()))


def latest_row_fields(state: SummaryState) -> dict[str, Any]:
    """Return the fields of the latest row, which override keys of the same names, and a note if keys are missing.

    ``_step`` is the greatest step of any row, ``_timestamp`` the time of the latest row in seconds since 1970, and
    ``_runtime`` the time from the run's start to that row.
    """
    if state.latest is None:
        return state.missing("summary")
    timestamp = state.latest.value / 1_000_000
    assigned = state.attributes.entries.get(("start_time",))
    start = None if assigned is None else start_time(assigned.value)
    runtime = {} if start is None else {"_runtime": max(0.0, round(timestamp - start, 6))}
    return {**state.missing("summary"), **runtime, "_step": state.latest.tag[0], "_timestamp": timestamp}


def project(
    keys: Mapping[Path, KeyState], manual: Assignments, definitions: Definitions, continues: Continues
) -> dict[str, Any]:
    """Return the summary as a nested dict, its outermost names in alphabetical order."""
    tree = manual.resolve()
    lineage = Lineage(continues)
    in_force = definitions.in_force()
    for path in sorted(_surviving(keys)):
        state = keys[path]
        value = _displayed(path, state, manual, definitions.of(path) if in_force else None, lineage)
        if value is not Nothing:
            put(tree, path, value)
    return dict(sorted(tree.items()))


def _displayed(
    path: Path, state: KeyState, manual: Assignments, definition: Definition | None, lineage: Lineage
) -> Any:
    """Return what is displayed for a logged key, or Nothing if values assigned by hand take precedence."""
    first, last = state.first, state.last
    if first is None or last is None:
        return Nothing
    if not manual.entries:
        return shown(state, definition)
    over, below = list(manual.around(path)), manual.below(path)
    if not all(_is_later(last, known, lineage) for known in over):
        return Nothing
    changes = [(rest, known) for rest, known in below if not _is_later(last, known, lineage)]
    replaced = [*over, *(known for _, known in below if _is_later(last, known, lineage))]
    by_hand = any(known.value is not Removed and not _is_later(first, known, lineage) for known in replaced)
    value = shown(state, definition, by_hand=by_hand)
    if not changes:
        return value
    if not isinstance(value, dict) or value is last.value:
        return Nothing
    apply(value, changes)  # Some of the aggregates were set by hand.
    return value


def shown(state: KeyState, definition: Definition | None, *, by_hand: bool = False) -> Any:
    """Return what is displayed for a key, or Nothing: its last value if it was set ``by_hand`` after it was logged."""
    wanted = definition.summary if definition is not None else None
    if wanted and "none" in wanted:
        return Nothing
    if by_hand or not wanted or wanted == {"copy"}:
        return Nothing if state.last is None else state.last.value
    maximize = definition is not None and definition.goal is not None and definition.goal.startswith("max")
    aggregates = {name: _aggregate(state, name, maximize=maximize) for name in sorted(wanted)}
    return {name: value for name, value in aggregates.items() if value is not Nothing} or Nothing


def _aggregate(state: KeyState, name: str, *, maximize: bool) -> Any:
    """Return an aggregate of a key: NaN if one of its numbers was NaN, or Nothing if it has no such values."""
    if name in {"last", "first"}:
        seen = state.last if name == "last" else state.first
        return Nothing if seen is None else seen.value
    if not state.count or name not in {"min", "max", "best", "mean"}:
        return Nothing
    if state.nan:
        return math.nan
    if name == "mean":
        return _mean(state)
    if name == "max" or (name == "best" and maximize):
        return math.inf if state.above else -math.inf if state.high is None else state.high
    return -math.inf if state.below else math.inf if state.low is None else state.low


def _mean(state: KeyState) -> float:
    """Return the mean of numbers without NaN, rounded once."""
    if state.above and state.below:
        return math.nan
    if state.above or state.below:
        return math.inf if state.above else -math.inf
    return float(fraction(state.sum) / state.count)


def _surviving(keys: Mapping[Path, KeyState]) -> set[Path]:
    """Return the paths that no later value replaced: a value at ``a`` replaces ``a.b``, and vice versa."""
    surviving = set(keys)
    for path, state in keys.items():
        for depth in range(1, len(path)) if len(path) > 1 else ():
            outer = keys.get(path[:depth])
            if outer is not None and outer.last is not None and state.last is not None:
                surviving.discard(path if outer.last.tag > state.last.tag else path[:depth])
    return surviving


def _is_later(last: Seen, known: Assigned, lineage: Lineage) -> bool:
    if last.writer == known.writer:
        return last.tag[2] > known.order
    return lineage.is_earlier(known.writer, last.writer)
