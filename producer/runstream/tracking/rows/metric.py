"""Metric definitions, as created by ``define_metric()``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from runstream.exceptions import Error
from runstream.tracking.values.foreign import shown
from runstream.tracking.values.texts import encodable
from runstream_schemas.limits import DEFAULT_LIMITS

AGGREGATIONS = frozenset({"min", "max", "mean", "last", "first", "best", "copy", "none"})
GOALS = ("minimize", "maximize")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How a metric, or every metric that a glob matches, is summarized and plotted; None if not specified."""

    #: A key, or a prefix of keys followed by ``*``.
    name: str
    #: The metric used as the x axis.
    step_metric: str | None = None
    #: Whether the last value of the step metric is inserted into rows without one; True by default if there is one.
    step_sync: bool | None = None
    hidden: bool | None = None
    summary: tuple[str, ...] | None = None
    goal: str | None = None
    #: Whether this definition replaces earlier definitions of the name instead of adding to them.
    overwrite: bool = False

    @property
    def glob(self) -> bool:
        """Whether the name is a prefix that matches several keys."""
        return self.name.endswith("*")

    def as_record(self) -> dict[str, Any]:
        """Return the value that is recorded for the definition in the config."""
        summary = None if self.summary is None else list(self.summary)
        return {**asdict(self), "glob": self.glob, "summary": summary}


def build_metric(
    name: str,
    *,
    step_metric: str | Metric | None,
    step_sync: bool | None,
    hidden: bool | None,
    summary: str | None,
    goal: str | None,
    overwrite: bool | None,
) -> Metric:
    """Return the definition for arguments of ``define_metric()``; raises Error if one is invalid."""
    if type(step_metric) is Metric:
        step_metric = step_metric.name
    for what, value in (("step_sync", step_sync), ("hidden", hidden), ("overwrite", overwrite)):
        if value is not None and not isinstance(value, bool):
            raise Error(f"define_metric({what}=...) must be True or False, not {shown(value)}")
    axis = None if step_metric is None or (type(step_metric) is str and not step_metric) else step_metric
    axis = None if axis is None else _name("step_metric", axis)
    if "*" in (name := _name("name", name))[:-1]:
        raise Error(f"define_metric({name!r}): * is allowed only at the end")
    return Metric(
        name=name,
        step_metric=axis,
        step_sync=True if axis is not None and step_sync is None else step_sync,
        hidden=hidden,
        summary=_aggregations(summary),
        goal=_goal(goal),
        overwrite=bool(overwrite),
    )


def _name(what: str, value: Any) -> str:
    longest = DEFAULT_LIMITS.key_length
    name = str.__str__(value) if issubclass(type(value), str) else ""
    if not 0 < len(name) <= longest:
        raise Error(f"define_metric({what}=...) must be a string of 1 to {longest} characters, not {shown(value)}")
    return encodable(name)


def _aggregations(summary: str | None) -> tuple[str, ...] | None:
    if summary is None:
        return None
    if not isinstance(summary, str):
        raise Error(f"define_metric(summary=...) must be a string such as 'min,max', not {shown(summary)}")
    if not summary:
        return None
    names = tuple(dict.fromkeys(summary.lower().split(",")))
    if unknown := [name for name in names if name not in AGGREGATIONS]:
        known = ", ".join(sorted(AGGREGATIONS))
        raise Error(f"define_metric(summary={summary!r}): unknown {unknown[0]!r}; use 'min,max', with any of {known}")
    return names


def _goal(goal: str | None) -> str | None:
    if goal is None:
        return None
    short = goal[:3].lower() if isinstance(goal, str) else ""
    if (found := next((name for name in GOALS if name[:3] == short), None)) is None:
        raise Error(f"define_metric(goal={shown(goal)}) must be 'minimize' or 'maximize'")
    return found
