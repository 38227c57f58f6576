"""What the templates show, computed from what the readers return. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from runstream_consumers.api.documents import run_documents
from runstream_consumers.api.documents.models import DeliveryReport, RunDocument, Transition, WriterState
from runstream_consumers.api.documents.run_documents import FoundRun, run_path, seconds
from runstream_consumers.web.filters import pairs
from runstream_schemas.summary_algebra.globs import GlobTable

#: States in which more events are expected.
OPEN = run_documents.OPEN

#: States whose reason is shown first.
_TROUBLE = frozenset({"failed", "crashed", "killed", "preempted"})
#: System metrics that describe the machine rather than its use.
_CONSTANT = re.compile(r"cpu\.count|memory\.total_mb|gpu\..*\.memory_total_mb")

Group = tuple[str, list[str]]
#: The name of a group, and of each of its charts the key and the key of its x axis (empty: the step).
ChartGroup = tuple[str, list[tuple[str, str]]]


def totals(report: DeliveryReport) -> Mapping[str, int]:
    """Return the number of records of each topic, as far as it is known."""
    found: Counter[str] = Counter()
    for writer in report.writers:
        found.update({name: topic.counted or topic.stored + topic.lost for name, topic in writer.topics.items()})
    return found


def summary_pairs(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the values of a summary without those of its last row's position, which the page shows separately."""
    return [(key, value) for key, value in pairs(summary) if not key.startswith("_")]


def definitions_by_key(metrics: Sequence[Mapping[str, Any]]) -> Callable[[str], Mapping[str, Any]]:
    """Return a function of a key: its metric definition, of its exact name or else the longest pattern that fits."""
    exact = {metric["name"]: metric for metric in metrics if not metric["glob"]}
    globs = GlobTable({metric["name"]: metric for metric in metrics if metric["glob"]})
    return lambda key: exact.get(key) or globs.find(key) or {}


def chart_groups(keys: Iterable[str], metrics: Sequence[Mapping[str, Any]], rest: str) -> list[ChartGroup]:
    """Return the charts of the keys that are not hidden, each with its step metric, grouped as in :func:`groups`."""
    definition_of = definitions_by_key(metrics)
    known = {key: definition_of(key) for key in keys}
    shown = [key for key, definition in known.items() if not definition.get("hidden")]
    return [
        (name, [(key, known[key].get("step_metric") or "") for key in found]) for name, found in groups(shown, rest)
    ]


def chart_keys(keys: Iterable[str], found: Collection[str], media: Collection[str] = ()) -> list[str]:
    """Return the keys without those that are part of a histogram or of media, and with the histograms."""
    inside = tuple(f"{name}." for name in (*found, *media))
    return sorted({*found, *(key for key in keys if not key.startswith(inside))})


def changing(keys: Iterable[str]) -> list[str]:
    """Return the keys of system metrics without those that never change on a machine."""
    return [key for key in keys if not _CONSTANT.fullmatch(key)]


def matching(items: Iterable[tuple[str, Any]], search: str) -> list[tuple[str, Any]]:
    """Return the pairs whose key contains every word of a search, in any case."""
    words = search.casefold().split()
    return [(key, value) for key, value in items if all(word in key.casefold() for word in words)]


def groups(keys: Iterable[str], rest: str) -> list[Group]:
    """Return keys grouped by the part before their first ``/``; those without one come last, under ``rest``."""
    found: dict[str, list[str]] = {}
    for key in sorted(keys):
        prefix, slash, _ = key.partition("/")
        found.setdefault(prefix if slash else "", []).append(key)
    return [(name or rest, found[name]) for name in sorted(found, key=lambda name: (not name, name))]


def reason(state: str, transitions: Sequence[Transition]) -> str:
    """Return why a run ended, if it ended otherwise than it should."""
    return transitions[-1].reason if transitions and state in _TROUBLE else ""


def other_failures(document: RunDocument, writers: Iterable[WriterState]) -> int:
    """Return how many processes of a run ended with an exception, besides the one that is shown as the run's."""
    shown = None if document.failure is None else document.failure.writer
    return sum(writer.failure is not None and writer.writer != shown for writer in writers)


def pinned(keys: Iterable[str], config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the pinned keys that the config has, with their values; dots address nested dicts."""
    flat = dict(pairs(config))
    values = {**flat, **config}
    return [(key, values[key]) for key in dict.fromkeys(keys) if key in values]


def duration(found: FoundRun, now: float) -> float | None:
    """Return the duration of a run in seconds: until now while it is open, else until its end."""
    if not found.document.created:
        return None
    is_open = found.state is not None and found.state.state in OPEN
    last = now if is_open else found.ended or seconds(found.document.updated)
    return max(0.0, last - seconds(found.document.created))


def steps_of(found: FoundRun) -> int | str:
    """Return the last step plus one, which is the number of steps if the run counts from 0."""
    last = found.document.last_step
    return "–" if last is None else last + 1  # noqa: RUF001  # a dash for people


def without_long(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return metadata without packages and uncommitted changes, and these as texts with a title."""
    rest, texts = dict(metadata), []
    packages, git = metadata.get("packages"), metadata.get("git")
    if isinstance(packages, list):
        del rest["packages"]
        texts.append((f"{len(packages)} packages", "\n".join(map(str, packages))))
    if isinstance(git, dict) and isinstance(diff := git.get("diff"), str):
        rest["git"] = {name: value for name, value in git.items() if name != "diff"}
        texts.append(("Uncommitted changes", diff))
    return rest, texts


def origins(found: FoundRun) -> list[tuple[str, str | None, str]]:
    """Return for each branch of a run what it is, the path of the page of the run that it continues, and its text."""
    found_origins: list[tuple[str, str | None, str]] = []
    for branch in found.branches:
        if branch.run == found.run:
            found_origins.append(("rewound to", None, f"step {branch.step}"))
        else:
            path = None if branch.run is None else run_path(branch.run)
            found_origins.append(("forked from", path, f"{branch.run or 'an unknown run'} at step {branch.step}"))
    return found_origins


def is_number(value: Any) -> bool:
    """Return whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
