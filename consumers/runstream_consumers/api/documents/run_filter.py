"""Which runs a list shows: conditions on state, tags, group, job type, user, name, config and creation. Pure."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from runstream_consumers.api.documents.run_documents import FoundRun

#: The result of :func:`value_at` if there is no value.
MISSING: Final = object()
_WILDCARDS = re.compile(r"[*?\[]")
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True, kw_only=True)
class ConfigCondition:
    """A condition on the config: the value at a key (dots address nested dicts) equals a text, or matches it."""

    key: str
    text: str

    @classmethod
    def parse(cls, text: str) -> ConfigCondition:
        """Return the condition of ``KEY=VALUE``; raises ValueError for any other text."""
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise ValueError(f"Invalid condition {text!r}: expected KEY=VALUE, such as lr=0.1")
        return cls(key=key, text=value)

    def accepts(self, config: Mapping[str, Any]) -> bool:
        """Return whether a config fulfills the condition."""
        value = value_at(config, self.key)
        if isinstance(value, str):
            return value == self.text or (self._pattern is not None and bool(self._pattern.match(value)))
        if value is MISSING or isinstance(value, bool) is not isinstance(self._value, bool):
            return False
        # NaN is the only value that differs from itself.
        return bool(value == self._value) or (value != value and self._value != self._value)  # noqa: PLR0124

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return re.compile(fnmatch.translate(self.text)) if _WILDCARDS.search(self.text) else None

    @cached_property
    def _value(self) -> Any:
        """The value that the text spells, MISSING if it spells none."""
        for parse in (lambda text: _WORDS[text.lower()], json.loads, float):
            try:
                return parse(self.text)
            except (ValueError, KeyError, RecursionError):
                continue
        return MISSING


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Conditions that a run must all fulfill; without any, every run does."""

    #: Any of these effective states.
    states: frozenset[str] = frozenset()
    #: All of these tags.
    tags: frozenset[str] = frozenset()
    group: str | None = None
    job_type: str | None = None
    user: str | None = None
    #: In any case: a part of the name or the id, or a pattern of the whole of it if it has ``*``, ``?`` or ``[``.
    name: str | None = None
    config: tuple[ConfigCondition, ...] = ()
    #: Least start of the run, seconds since 1970.
    since: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every run fulfills it."""
        return self == RunFilter()

    def accepts(self, found: FoundRun) -> bool:
        """Return whether a run fulfills all conditions, except for those on its state."""
        known = found.attributes
        return (
            self.tags.issubset(known.tags)
            and self.group in {None, known.group or ""}
            and self.job_type in {None, known.job_type or ""}
            and (self.user is None or found.document.metadata.get("username") == self.user)
            and (self._pattern is None or self._fits_name(found, self._pattern))
            and (self.since is None or (found.started or 0.0) >= self.since)
            and all(condition.accepts(found.document.config) for condition in self.config)
        )

    def accepts_state(self, found: FoundRun) -> bool:
        """Return whether the state of a run is one of those that are selected."""
        return not self.states or ("pending" if found.state is None else found.state.state) in self.states

    def _fits_name(self, found: FoundRun, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.match(found.name.casefold()) or pattern.match(found.run.run_id.casefold()))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self.name:
            return None
        name = self.name.casefold()
        return re.compile(fnmatch.translate(name if _WILDCARDS.search(name) else f"*{name}*"))


def value_at(nested: Mapping[str, Any], key: str) -> Any:
    """Return the value at a key of nested dicts, joined by dots; keys may themselves contain dots."""
    if key in nested:
        return nested[key]
    place = key.find(".")
    while place >= 0:
        inner = nested.get(key[:place])
        if isinstance(inner, Mapping) and (found := value_at(inner, key[place + 1 :])) is not MISSING:
            return found
        place = key.find(".", place + 1)
    return MISSING
