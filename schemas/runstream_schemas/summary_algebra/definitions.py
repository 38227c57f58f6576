"""Metric definitions: what the summary shows of a key, and which definition applies to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runstream_schemas.exceptions import LimitExceeded, MalformedEvent
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.summary_algebra.globs import GlobTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.summary_algebra.assignments import Tag
    from runstream_schemas.summary_algebra.key_state import Path

_SURROGATE = re.compile("[\ud800-\udfff]")
AGGREGATIONS = ("min", "max", "mean", "last", "first", "best", "copy", "none")
#: The options of a definition that a later one of the same name replaces if it has them.
_OPTIONAL = ("step_metric", "step_sync", "hidden", "goal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One definition, or several of the same name merged; None if not specified."""

    name: str
    glob: bool = False
    step_metric: str | None = None
    step_sync: bool | None = None
    hidden: bool | None = None
    summary: frozenset[str] | None = None
    goal: str | None = None
    overwrite: bool = False

    def then(self, later: Definition) -> Definition:
        """Return the definition that results when a later one of the same name is added."""
        if later.overwrite:
            return later
        kept = {name: getattr(self, name) for name in _OPTIONAL if getattr(later, name) is None}
        return replace(later, **kept, summary=(self.summary or frozenset()) | (later.summary or frozenset()))

    def document(self) -> dict[str, Any]:
        """Return the definition as it is served to readers."""
        sync = self.step_metric is not None if self.step_sync is None else self.step_sync
        return {
            "name": self.name,
            "glob": self.glob,
            "step_metric": self.step_metric,
            "step_sync": sync,
            "hidden": bool(self.hidden),
            "summary": sorted(self.summary or ()),
            "goal": self.goal,
        }


class Definitions:
    """All definitions of a run, added in any order; their tags decide which are in force."""

    def __init__(self) -> None:
        #: For each name, the definitions that decide which one is in force; of others nothing remains.
        self.given: dict[str, dict[Tag, Definition]] = {}
        self._in_force: dict[str, Definition] = {}
        #: Names whose definition in force is not known.
        self._changed: set[str] = set()
        self._globs: GlobTable[Definition] | None = None

    def define(self, tag: Tag, definition: Definition) -> None:
        """Add a definition."""
        given = self.given.get(definition.name, {})
        self.given[definition.name] = _deciding({**given, tag: definition})
        self._changed.add(definition.name)

    def in_force(self) -> Mapping[str, Definition]:
        """Return the merged definition of each name, in alphabetical order."""
        if self._changed:
            known = self._in_force | {name: _merged(self.given[name]) for name in self._changed}
            self._in_force = dict(sorted(known.items()))
            self._changed, self._globs = set(), None
        return self._in_force

    def of(self, path: Path) -> Definition | None:
        """Return the definition for a key: that of its name, or else the longest pattern that matches.

        A name with dots applies to the nested key as well as to the key that contains the dots.
        """
        in_force = self.in_force()
        if not in_force:
            return None
        name = ".".join(path)
        exact = in_force.get(name)
        if exact is not None and not exact.glob:
            return exact
        if self._globs is None:
            self._globs = GlobTable({glob: known for glob, known in in_force.items() if known.glob})
        return self._globs.find(name)


def parse(value: Any) -> Definition:
    """Return the definition in the value of a config entry; raises MalformedEvent if it is not valid."""
    if not isinstance(value, dict) or _optional(value, "name", str) is None:
        raise MalformedEvent("Metric definition without a name")
    if len(value["name"]) > DEFAULT_LIMITS.key_length:
        raise LimitExceeded(f"Name of a metric of {len(value['name'])} characters, limit {DEFAULT_LIMITS.key_length}")
    summary = value.get("summary")
    if summary is not None and not isinstance(summary, list):
        raise MalformedEvent("Aggregations of a metric definition are not a list")
    return Definition(
        name=value["name"],
        glob=bool(value.get("glob", "*" in value["name"])),
        step_metric=_optional(value, "step_metric", str),
        step_sync=_optional(value, "step_sync", bool),
        hidden=_optional(value, "hidden", bool),
        summary=None if summary is None else frozenset(name for name in summary if name in AGGREGATIONS),
        goal=_optional(value, "goal", str),
        overwrite=bool(value.get("overwrite")),
    )


def _optional(value: Mapping[str, Any], name: str, kind: type) -> Any:
    found = value.get(name)
    # A text with a lone surrogate cannot be stored, and is the name of no key.
    is_valid = isinstance(found, kind) and not (isinstance(found, str) and _SURROGATE.search(found))
    return found if is_valid else None


def _merged(given: Mapping[Tag, Definition]) -> Definition:
    ordered = [given[tag] for tag in sorted(given)]
    merged = ordered[0]
    for later in ordered[1:]:
        merged = merged.then(later)
    return merged


def _deciding(given: Mapping[Tag, Definition]) -> dict[Tag, Definition]:
    """Return the definitions of one name on which the merged one depends: a few, however many there are.

    These are the last one, the last one that replaces all earlier ones, and after it, for each option and each
    aggregation, the last one that has it. The result does not depend on when others are left out.
    """
    kept: dict[Tag, Definition] = {}
    missing = {*_OPTIONAL, *AGGREGATIONS}
    for tag in sorted(given, reverse=True):
        definition = given[tag]
        found = {name for name in _OPTIONAL if getattr(definition, name) is not None} | (definition.summary or set())
        if not kept or definition.overwrite or not missing.isdisjoint(found):
            kept[tag] = definition
            missing -= found
        if definition.overwrite:
            break
    return kept
