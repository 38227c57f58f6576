"""What the templates show, made from what the readers return. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runstream_consumers.api.documents.run_documents import Known, seconds
from runstream_consumers.web.filters import pairs
from runstream_schemas.topics import RunPath

#: States in which more may come at any moment.
OPEN = frozenset({"pending", "running", "preempting"})
#: Columns of the table of runs that show the summary.
_COLUMNS = 5

Group = tuple[str, list[str]]
#: The name of a group, and of each of its charts the key and the key of its x axis (empty: the step).
ChartGroup = tuple[str, list[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run as a line of its project's table; times are seconds."""

    id: str
    name: str
    path: str
    state: str
    qualifiers: list[str]
    created: float | None
    seconds: float | None
    steps: int | str
    values: dict[str, Any]


def run_line(known: Known, now: float) -> RunLine:
    """Return the line of a run."""
    document, state = known.document, known.state
    return RunLine(
        id=known.run.run_id,
        name=known.name,
        path=run_path(known.run),
        state="pending" if state is None else state.state,
        qualifiers=[] if state is None else list(state.qualifiers),
        created=known.started,
        seconds=lasted(known, now),
        steps=steps_of(known),
        values={} if document is None else dict(summary_pairs(document.summary)),
    )


def summary_pairs(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the values of a summary less those that place its last row: the page says them in words of its own."""
    return [(key, value) for key, value in pairs(summary) if not key.startswith("_")]


def columns(lines: Iterable[RunLine]) -> list[str]:
    """Return the keys of the summary that most runs have a number for, in their order of appearance."""
    found = Counter(key for line in lines for key, value in line.values.items() if is_number(value))
    chosen = {key for key, _ in found.most_common(_COLUMNS)}
    return [key for key in found if key in chosen]


def definition_of(key: str, metrics: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the definition that speaks for a key: the one of its name, else that of the longest pattern that fits."""
    fitting = [metric for metric in metrics if _fits(key, metric)]
    return min(fitting, key=lambda metric: (bool(metric["glob"]), -len(metric["name"]), metric["name"]), default={})


def chart_groups(keys: Iterable[str], metrics: Sequence[Mapping[str, Any]], rest: str) -> list[ChartGroup]:
    """Return the charts of the keys that no definition hides, each with its step metric, grouped as :func:`groups`."""
    known = {key: definition_of(key, metrics) for key in keys}
    shown = [key for key, definition in known.items() if not definition.get("hidden")]
    return [
        (name, [(key, known[key].get("step_metric") or "") for key in found]) for name, found in groups(shown, rest)
    ]


def groups(keys: Iterable[str], rest: str) -> list[Group]:
    """Return keys grouped by what stands before their first ``/``; those without one last, under ``rest``."""
    found: dict[str, list[str]] = {}
    for key in sorted(keys):
        prefix, slash, _ = key.partition("/")
        found.setdefault(prefix if slash else "", []).append(key)
    return [(name or rest, found[name]) for name in sorted(found, key=lambda name: (not name, name))]


def pinned(keys: Iterable[str], config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the pinned keys that the config has, with their values; dots reach into nested dicts."""
    flat = dict(pairs(config))
    values = {**flat, **config}
    return [(key, values[key]) for key in dict.fromkeys(keys) if key in values]


def lasted(known: Known, now: float) -> float | None:
    """Return how many seconds passed by the brokers' clock: until now while the run is open, else to its last event."""
    if known.document is None:
        return None
    is_open = known.state is not None and known.state.state in OPEN
    return max(0.0, (now if is_open else seconds(known.document.updated)) - seconds(known.document.created))


def steps_of(known: Known) -> int | str:
    """Return the last step plus one, which is the number of steps of a run that counts from 0."""
    last = None if known.document is None else known.document.last_step
    return "–" if last is None else last + 1  # noqa: RUF001  # a dash for people


def _fits(key: str, metric: Mapping[str, Any]) -> bool:
    name: str = metric["name"]
    if not metric["glob"]:
        return key == name
    pattern = ".*".join(re.escape(part) for part in name.split("*"))
    return re.fullmatch(pattern, key, re.DOTALL) is not None


def is_number(value: Any) -> bool:
    """Say whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def run_path(run: RunPath) -> str:
    """Return the path of a run's page, quoted."""
    return f"{project_path(run.entity, run.project)}/runs/{quote(run.run_id, safe='')}"


def project_path(entity: str, project: str) -> str:
    """Return the path of a project's page, quoted."""
    return f"/{quote(entity, safe='')}/{quote(project, safe='')}"


def writers(delivery: dict[str, Any], states: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each writer delivered beside how it ended."""
    known = {state["writer"]: state for state in states}
    nothing = {"state": "", "reason": "", "qualifiers": []}
    return [{**nothing, **known.get(writer["writer"], {}), **writer} for writer in delivery["writers"]]
