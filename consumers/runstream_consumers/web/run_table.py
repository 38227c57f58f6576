"""The table of a project's runs: its columns, and what they show. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from runstream_consumers.api.documents.run_documents import FoundRun, run_path
from runstream_consumers.web import view
from runstream_consumers.web.filters import pairs

#: Number of columns of each kind by default.
_SUMMARY_COLUMNS, _CONFIG_COLUMNS = 5, 4
#: With more runs, a summary value of a single one has no column by default.
_FEW_RUNS = 3
#: Columns that can be requested.
MOST_COLUMNS = 30
#: Keys that people look for first.
_TELLING = re.compile(r"loss|acc|f1|auc|error|score|reward|return|perplexity|bleu|iou|map", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column with a value of the summary or the config."""

    #: ``summary`` or ``config``.
    kind: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Column:
        """Return the column that ``config.KEY``, ``summary.KEY`` or the key of a summary value names."""
        kind, dot, key = text.partition(".")
        return cls(kind, key) if dot and kind in {"config", "summary"} and key else cls("summary", text)

    def __str__(self) -> str:
        """Return its name in the parameters of a page."""
        return f"{self.kind}.{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run as a line of the table; times are seconds."""

    id: str
    name: str
    path: str
    state: str
    qualifiers: list[str]
    created: float | None
    seconds: float | None
    steps: int | str
    lost: int
    group: str
    tags: Sequence[str]
    pinned: Sequence[str]
    values: Mapping[str, Mapping[str, Any]]

    def value(self, column: Column) -> Any:
        """Return the value in a column, or None if the run has none."""
        return self.values[column.kind].get(column.key)


def run_line(found: FoundRun, now: float) -> RunLine:
    """Return the line of a run."""
    state, known = found.state, found.attributes
    return RunLine(
        id=found.run.run_id,
        name=found.name,
        path=run_path(found.run),
        state="pending" if state is None else state.state,
        qualifiers=[] if state is None else list(state.qualifiers),
        created=found.started,
        seconds=view.duration(found, now),
        steps=view.steps_of(found),
        lost=found.lost,
        group=known.group or "",
        tags=known.tags,
        pinned=known.pinned_config_keys,
        values={
            "summary": dict(view.summary_pairs(found.document.summary)),
            "config": dict(pairs(found.document.config)),
        },
    )


def columns_of(lines: Sequence[RunLine]) -> list[Column]:
    """Return the columns by default: config in which the runs differ, and the summary values that most runs have."""
    config = [Column("config", key) for key in _differing(lines)]
    return config + [Column("summary", key) for key in _common(lines)]


def parameters(known: Iterable[tuple[str, str]], **changed: str | None) -> str:
    """Return the query of the first page of the same list, with other values of some parameters or without them."""
    kept = [(name, value) for name, value in known if name not in {*changed, "after"} and value]
    added = [(name, value) for name, value in changed.items() if value]
    return f"?{urlencode([*kept, *added], errors='replace')}"


def _common(lines: Sequence[RunLine]) -> list[str]:
    found = Counter(key for line in lines for key, value in line.values["summary"].items() if view.is_number(value))
    place = {key: number for number, key in enumerate(found)}
    least = 1 if len(lines) <= _FEW_RUNS else 2
    frequent = [key for key, count in found.items() if count >= least]
    ranked = sorted(frequent, key=lambda key: (-found[key], not _TELLING.search(key), key.count("/"), place[key]))
    return ranked[:_SUMMARY_COLUMNS]


def _differing(lines: Sequence[RunLine]) -> list[str]:
    """Return the keys that are pinned, then those whose plain values differ between runs, most common first."""
    values: dict[str, set[str]] = {}
    known: Counter[str] = Counter()
    for line in lines:
        for key, value in line.values["config"].items():
            if isinstance(value, str | int | float):
                values.setdefault(key, set()).add(repr(value))
                known[key] += 1
    pinned = Counter(key for line in lines for key in line.pinned if key in known)
    differing = [key for key, _ in known.most_common() if len(values[key]) > 1]
    return list(dict.fromkeys([*(key for key, _ in pinned.most_common()), *differing]))[:_CONFIG_COLUMNS]
