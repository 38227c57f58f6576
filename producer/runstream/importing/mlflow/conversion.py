"""From what MLflow stores of a run to the records of an import. Pure, but for the files of artifacts."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from runstream.importing.files import files_below
from runstream.importing.mlflow.store import Point, StoredRun, UnreadablePart
from runstream.importing.records import (
    Attributes,
    Config,
    Damage,
    Ending,
    Metadata,
    NotImported,
    Record,
    Row,
    Sample,
)
from runstream_schemas.events import ExitState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STATES = {
    "FINISHED": Ending(ExitState.FINISHED),
    "FAILED": Ending(ExitState.FAILED, 1, "FAILED in MLflow"),
    "KILLED": Ending(ExitState.KILLED, 1, "KILLED in MLflow"),
}
_OWN = "mlflow."
_SYSTEM = "system/"
_NUMBER = re.compile(r"[+-]?(\d+|\d+\.\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|\d+[eE][+-]?\d+|nan|inf)", re.ASCII)
_CONSTANTS = {"True": True, "False": False, "None": None}
_LONGEST_LITERAL = 10_000
#: What MLflow stores in databases for infinities.
_GREATEST = 1.7976931348623157e308


def records(run: StoredRun, points: Iterable[Point | UnreadablePart]) -> Iterator[Record]:
    """Yield the records of a run."""
    note = run.tags.get("mlflow.note.content")
    named = {
        "name": run.tags.get("mlflow.runName") or run.name,
        "notes": note,
        "start_time": run.started / 1000 or None,
    }
    group = run.tags.get("mlflow.parentRunId")
    own = {key: value for key, value in run.tags.items() if not key.startswith(_OWN)}
    tags = [f"{key}={value}" if value else key for key, value in own.items()]
    yield Attributes({**named, "group": group, "tags": tags})
    yield Metadata(_metadata(run))
    if run.params:
        yield Config({(key,): literal(value) for key, value in run.params.items()})
    yield from _rows(points)
    yield from _artifacts(run.artifact_uri)
    end = _STATES.get(run.status) or Ending(
        ExitState.CRASHED, reason=f"its state in MLflow is {run.status or 'unknown'}"
    )
    yield Ending(end.state, end.exit_code, end.reason, run.ended * 1000)


def literal(text: str) -> Any:
    """Return the value of a parameter, which MLflow stores as text: a number, constant, list or dict, else the text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER.fullmatch(text):
        try:
            return int(text)
        except ValueError:
            return float(text)
    if text[:1] in {"[", "(", "{"} and len(text) < _LONGEST_LITERAL:
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return text
        return found if isinstance(found, list | tuple | dict) else text
    return text


def _metadata(run: StoredRun) -> dict[str, Any]:
    commit = run.tags.get("mlflow.source.git.commit")
    remote = run.tags.get("mlflow.source.git.repoURL")
    git = {name: value for name, value in (("commit", commit), ("remote", remote)) if value}
    found = {
        "username": run.tags.get("mlflow.user") or run.user,
        "program": run.tags.get("mlflow.source.name"),
        "git": git,
        "mlflow": {"tags": dict(run.tags), "experiment": run.experiment},
    }
    return {name: value for name, value in found.items() if value}


def _rows(points: Iterable[Point | UnreadablePart]) -> Iterator[Record]:
    """Yield the points of a step as a row; a key that comes again begins another row of the step."""
    rows, samples = _Joined(), _Joined()
    for point in points:
        if isinstance(point, UnreadablePart):
            yield Damage(f"{point.place}: {point.reason}")
            continue
        is_system = point.key.startswith(_SYSTEM)
        for step, time, values in (samples if is_system else rows).add(point):
            yield Sample(time, values) if is_system else Row(step, time, values)
    yield from (Row(*one) for one in rows.close())
    yield from (Sample(time, values) for _, time, values in samples.close())


class _Joined:
    """Joins the points of a step."""

    def __init__(self) -> None:
        self._step = self._time = 0
        self._values: dict[str, float] = {}

    def add(self, point: Point) -> Iterator[tuple[int, int, dict[str, float]]]:
        key = point.key.removeprefix(_SYSTEM)
        if point.step != self._step or key in self._values:
            yield from self.close()
        self._step, self._time = point.step, max(self._time, point.time * 1000)
        value = point.value
        self._values[key] = math.copysign(math.inf, value) if abs(value) == _GREATEST else value

    def close(self) -> Iterator[tuple[int, int, dict[str, float]]]:
        if self._values:
            yield self._step, self._time, self._values
        self._values, self._time = {}, 0


def _artifacts(uri: str) -> Iterator[Record]:
    folder = local_path(uri)
    if folder is not None and folder.is_dir():
        yield from files_below(folder)
    # A run without artifacts has no folder; the one for all runs of its experiment is two levels above.
    elif folder is None or not folder.parent.parent.is_dir():
        shown = uri.rpartition("@")[2][:200]
        yield NotImported("artifacts", f"they are at {shown}, which is not a folder of this machine")


def local_path(uri: str) -> Path | None:
    """Return the path of a URI on this machine; None if it is elsewhere."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(uri)
