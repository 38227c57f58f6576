"""The report of an import: what was imported of each run and what was not, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from humanize import naturalsize

from runstream.importing.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BYTES = "bytes of files"
#: Reasons that the text lists of one run.
_SHOWN = 10


class Status(Enum):
    """What became of a run."""

    IMPORTED = "imported"
    RECORDED = "recorded"
    READABLE = "would be imported"
    ALREADY = "already imported"
    LEFT_OUT = "left out"
    FAILED = "not imported"


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What became of one run, or of a place that is none."""

    place: str
    #: ``project/run_id``; empty for a place that is no run.
    path: str = ""
    status: Status
    reason: str = ""
    tally: Tally = field(default_factory=Tally)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text."""
        what = self.path or self.place
        counts = f": {counted(self.tally.imported)}" if self.tally.imported else ""
        yield f"{what}: {self.status.value}{counts}" + (f" ({self.reason})" if self.reason else "")
        if self.path and (self.reason or not self.tally.whole):
            yield f"  from {self.place}"
        left_out = [
            f"  not imported: {count:,} {_named(what, count)}: {why}"
            for (what, why), count in self.tally.left_out.items()
        ]
        yield from _shortened(left_out)
        yield from _shortened([f"  damaged: {text}" for text in self.tally.damage])
        yield from _shortened([f"  changed: {text}" for text in self.tally.notes])

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        named = {"place": self.place, "run": self.path, "status": self.status.value, "reason": self.reason}
        return {**named, **self.tally.to_json()}


@dataclass(slots=True)
class Report:
    """What became of all runs."""

    runs: list[RunReport] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether a run was not imported."""
        return any(run.status is Status.FAILED for run in self.runs)

    @property
    def whole(self) -> bool:
        """Whether everything was imported of all runs."""
        return not self.failed and all(run.tally.whole for run in self.runs)

    def lines(self, *, every: bool = False) -> Iterator[str]:
        """Yield the lines of the text: the runs that something is to be said of, or every run, and the sums."""
        for run in self.runs:
            if every or run.status in {Status.FAILED, Status.LEFT_OUT} or not run.tally.whole or run.tally.notes:
                yield from run.lines()
        total = sum((run.tally.imported for run in self.runs), Counter[str]())
        statuses = Counter(run.status for run in self.runs)
        parts = [f"{statuses[status]:,} {status.value}" for status in Status if statuses[status]]
        yield f"{len(self.runs):,} run(s): {', '.join(parts) or 'none found'}"
        if total:
            yield f"In all: {counted(total)}"
        left_out = sum((Counter(run.tally.left_out) for run in self.runs), Counter[tuple[str, str]]())
        if left_out:
            by_kind: Counter[str] = Counter()
            for (what, _), count in left_out.items():
                by_kind[what] += count
            yield f"Not imported: {counted(by_kind)}; the reasons are above"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {"runs": [run.to_json() for run in self.runs]}


def counted(counts: Counter[str]) -> str:
    """Return counts as text, such as ``1,000 rows, 3 files (1.2 MB)``."""
    found = []
    for what, count in counts.items():
        if what != _BYTES and count:
            size = f" ({naturalsize(counts[_BYTES])})" if what == "files" and counts[_BYTES] else ""
            found.append(f"{count:,} {_named(what, count)}{size}")
    return ", ".join(found)


def _named(what: str, count: int) -> str:
    return what.removesuffix("s") if count == 1 else what


def _shortened(lines: list[str]) -> Iterable[str]:
    if len(lines) <= _SHOWN:
        return lines
    return [*lines[:_SHOWN], f"  … and {len(lines) - _SHOWN:,} more; --json lists them"]
