"""The conditions of the query parameters of lists, and of the forms of the pages. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runstream_consumers.api.run_lists.conditions import EVERYTHING, All, Comparison, Condition, Some, is_one_of
from runstream_consumers.api.run_lists.fields import (
    CREATED,
    DISPLAY_NAME,
    GROUP,
    ID,
    JOB_TYPE,
    STATE,
    TAGS,
    USER,
    config_field,
)

_WILDCARDS = re.compile(r"[*?\[]")
_SET = re.compile(r"\[(!?)([^\]]+)\]")
#: Characters with a meaning within brackets.
_SPECIAL = re.compile(r"[\\^\[]")
_WORDS = {"true": True, "false": False, "null": None, "none": None}


def config_condition(text: str) -> Condition:
    """Return the condition of ``KEY=VALUE``: a number, true, false, null, a text, or a pattern of one.

    Raises ValueError for any other text.
    """
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ValueError(f"Invalid condition {text!r}: expected KEY=VALUE, such as lr=0.1")
    field = config_field(key)
    found = is_one_of(field, [value, *_spelled(value)]).parts  # type: ignore[union-attr]
    if None in _spelled(value):
        found = (found[0], All((Comparison(field, "exists"), found[1])))
    return Some((*found, *([Comparison(field, "regex", glob_regex(value), "s")] if _WILDCARDS.search(value) else ())))


def _spelled(text: str) -> list[Any]:
    """Return the value other than a text that a text spells, if it spells one that can be compared."""
    for parse in (lambda text: _WORDS[text.lower()], json.loads, float):
        try:
            found = parse(text)
        except (ValueError, KeyError, RecursionError):
            continue
        is_plain = not isinstance(found, str | dict) and not (
            isinstance(found, list) and any(isinstance(item, list | dict) for item in found)
        )
        return [found] if is_plain else []
    return []


def glob_regex(pattern: str) -> str:
    """Return a pattern with ``*``, ``?`` and ``[…]`` of a whole text as a regular expression."""
    found, place = "", 0
    while place < len(pattern):
        one = pattern[place]
        if one == "[" and (chosen := _SET.match(pattern, place)):
            found += f"[{'^' if chosen[1] else ''}{_SPECIAL.sub(_escaped, chosen[2])}]"
            place = chosen.end()
            continue
        found += {"*": ".*", "?": "."}.get(one) or (one if one.isalnum() or one == "_" else f"\\{one}")
        place += 1
    return f"^{found}$"


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


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
    #: Conditions on the config.
    config: tuple[Condition, ...] = ()
    #: Least start of the run, seconds since 1970.
    since: float | None = None
    #: A further condition.
    also: Condition = EVERYTHING

    @property
    def condition(self) -> Condition:
        """The condition that all of them hold."""
        return All(tuple(self._parts()))

    def _parts(self) -> Iterable[Condition]:
        if self.states:
            yield is_one_of(STATE, sorted(self.states))
        yield from (Comparison(TAGS, "==", tag) for tag in sorted(self.tags))
        for field, value in ((GROUP, self.group), (JOB_TYPE, self.job_type), (USER, self.user)):
            if value is not None:
                yield Comparison(field, "==", value)
        if self.name:
            pattern = glob_regex(self.name if _WILDCARDS.search(self.name) else f"*{self.name}*")
            yield Some((Comparison(DISPLAY_NAME, "regex", pattern, "is"), Comparison(ID, "regex", pattern, "is")))
        if self.since is not None:
            yield Comparison(CREATED, ">=", round(self.since * 1_000_000))
        yield from self.config
        if self.also != EVERYTHING:
            yield self.also
