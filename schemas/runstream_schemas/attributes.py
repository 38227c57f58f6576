"""The attributes of a run as a typed model. Any writer can set an attribute to any value, so that each is validated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The attribute that collects the definitions of metrics that are not valid, by the name of the metric.
INVALID_METRICS = "metrics"
#: The attribute that collects the charts, by the key that each was logged under.
CHARTS = "charts"
#: The attribute by which a command sets the state of a run: the state, and the writers against which it holds.
STATE_SET = "state_set"
#: The states that can be set.
SETTABLE_STATES = frozenset({"pending", "running", "failed"})
_CHART_FIELDS = ("definition", "fields", "strings", "table")
#: End of the year 9999, seconds since 1970: the last time that every calendar library supports.
_LAST_SECOND = 253_402_300_799
_GREATEST_NUMBER = 2**31 - 1
#: The year 2000, microseconds since 1970: an earlier clock is not set.
_FIRST_TIME = 946_684_800_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The attributes that readers know; an attribute that is unset, null or not valid has its default."""

    name: str | None = None
    generated_name: str | None = None
    #: The number of the run in its project.
    number: int | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    group: str | None = None
    job_type: str | None = None
    sweep_id: str | None = None
    #: Seconds since 1970.
    start_time: float | None = None
    label: str | None = None
    pinned_config_keys: tuple[str, ...] = ()
    #: By the key that a chart was logged under: ``definition``, ``fields``, ``strings``, ``table``.
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    preempting: bool = False
    stop_requested: bool = False
    #: The values that are not valid, as they were set. The texts of a list with other elements are used nevertheless.
    invalid: Mapping[str, Any] = field(default_factory=dict)


def validated(attributes: Mapping[str, Any]) -> Attributes:
    """Return the model of the attributes of a run."""
    if not attributes:
        return _NONE
    known = {name: attributes[name] for name in _KINDS.keys() & attributes.keys() if attributes[name] is not None}
    fields = {name: _KINDS[name](value) for name, value in known.items()}
    invalid = {name: known[name] for name in sorted(known) if not _fits(known[name], fields[name])}
    return Attributes(**{name: value for name, value in fields.items() if value is not None}, invalid=invalid)


def start_time(value: Any) -> float | None:
    """Return the attribute ``start_time`` as seconds since 1970; None if it is not valid."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= _LAST_SECOND and math.isfinite(value) else None


def bounded_time(time: int, append_time: int) -> int:
    """Return a time of a client's clock, or the append time if the clock was ahead of the broker's, or not set."""
    return time if _FIRST_TIME <= time <= append_time else append_time


def display_name(given: str | None, generated: str | None, number: int | None) -> str:
    """Return the display name of a run from its attributes ``name``, ``generated_name`` and ``number``.

    The name ``given`` by the user takes precedence. Otherwise it is two ``generated`` words, followed by the number if
    a server has assigned one; empty if there is neither.
    """
    if given or not generated:
        return given or ""
    return generated if number is None else f"{generated}-{number}"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else None


def _number(value: Any) -> int | None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and 0 < value <= _GREATEST_NUMBER else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _request(value: Any) -> bool | None:
    return True if isinstance(value, dict) and isinstance(value.get("writers"), list) else None


def _charts(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    charts = {key: chart for key, chart in value.items() if _is_chart(chart)}
    return {key: {name: chart[name] for name in _CHART_FIELDS} for key, chart in charts.items()}


def _is_chart(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("definition", "table"))
        and all(_is_text_map(value.get(name)) for name in ("fields", "strings"))
    )


def _is_text_map(value: Any) -> bool:
    return isinstance(value, dict) and all(text is None or isinstance(text, str) for text in value.values())


def _fits(given: Any, found: Any) -> bool:
    """Return whether nothing of a value had to be left out."""
    return found is not None and (not isinstance(found, tuple | dict) or len(found) == len(given))


#: The value of each attribute that a given value stands for, or None.
_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "name": _text,
    "generated_name": _text,
    "number": _number,
    "notes": _text,
    "tags": _texts,
    "group": _text,
    "job_type": _text,
    "sweep_id": _text,
    "start_time": start_time,
    "label": _text,
    "pinned_config_keys": _texts,
    CHARTS: _charts,
    "preempting": _flag,
    "stop_requested": _request,
    INVALID_METRICS: lambda _: None,
}
_NONE = Attributes()
