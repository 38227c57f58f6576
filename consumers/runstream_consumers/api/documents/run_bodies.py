"""The bodies of requests that change runs, and the responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runstream_schemas import values
from runstream_schemas.limits import DEFAULT_LIMITS

#: Of a change, bytes of JSON: an event has other fields, too.
_LARGEST = DEFAULT_LIMITS.message_bytes // 2
_MOST_KEYS = 10_000

Text = Annotated[str, Field(max_length=DEFAULT_LIMITS.string_length)]
ShortText = Annotated[str, Field(max_length=500)]
Key = Annotated[str, Field(min_length=1, max_length=DEFAULT_LIMITS.key_length)]
Tag = Annotated[str, Field(min_length=1, max_length=64)]


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")


class KeyChanges(_Fields):
    """Keys of the config or the summary that are set or removed; a value replaces what its key had, dicts included."""

    set: Annotated[dict[Key, Any], Field(max_length=_MOST_KEYS)] = {}
    remove: Annotated[list[Key], Field(max_length=_MOST_KEYS)] = []


class _Described(_Fields):
    """What describes a run; null removes a text."""

    name: ShortText | None = None
    notes: Text | None = None
    tags: Annotated[list[Tag], Field(max_length=_MOST_KEYS)] | None = None
    group: ShortText | None = None
    job_type: ShortText | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes that the request has."""
        given = {name: getattr(self, name) for name in self.model_fields_set & _Described.model_fields.keys()}
        return {name: [] if name == "tags" and value is None else value for name, value in given.items()}


class RunChange(_Described):
    """A change of a run; fields that are left out stay as they are."""

    config: KeyChanges = KeyChanges()
    summary: KeyChanges = KeyChanges()


class RunCreation(_Described):
    """A run that is created without a process that writes to it."""

    state: Literal["pending", "running"] = "pending"
    config: Annotated[dict[Key, Any], Field(max_length=_MOST_KEYS)] = {}
    sweep_id: ShortText | None = None
    #: The words that name a run without a name.
    generated_name: ShortText | None = None


class StateBody(_Fields):
    """The state that is set."""

    state: Literal["pending", "failed"]


class CommandAnswer(_Fields):
    """The writer of the command, in hexadecimal: the broker has its events."""

    writer: str


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with their tagged floats restored; raises ValueError for what no event may have."""
    try:
        found: dict[str, Any] = values.load(json.dumps(dict(given), allow_nan=False))
        text = values.dump(found)
        values.check(text, depth=DEFAULT_LIMITS.depth)
    except RecursionError:
        raise ValueError("the values are nested too deep") from None
    if len(text) > _LARGEST:
        raise ValueError(f"the values have {len(text)} bytes of JSON: expected up to {_LARGEST}")
    return found


def problem_of_transition(before: str, after: str) -> str | None:
    """Return why a run cannot be set from a state to another one; None if it can."""
    allowed: Sequence[str] = _SOURCES[after]
    if before in allowed:
        return None
    return f"Invalid transition from {before} to {after}: only a run that is {', '.join(allowed)} can be set to {after}"


#: From which states a run can be set to each state (document 003, update_state). A run that is about to be preempted
#: is running.
_SOURCES: Mapping[str, Sequence[str]] = {
    "pending": ("running", "failed", "crashed", "preempted", "preempting"),
    "failed": ("pending", "running", "preempting"),
}
