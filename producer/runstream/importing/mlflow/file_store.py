"""MLflow's folder ``mlruns``: ``EXPERIMENT/RUN/meta.yaml``, and a file for each metric, parameter and tag."""

from __future__ import annotations

import heapq
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runstream.importing.mlflow.conversion import local_path
from runstream.importing.mlflow.store import Point, StoredRun, UnreadablePart
from runstream.importing.names import digest, files_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

_META = "meta.yaml"
_LONGEST_TEXT = 1024 * 1024
#: MLflow's numbers of states.
_STATES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}


class FileStore:
    """The runs below a folder ``mlruns``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[str, Path] = {}

    def runs(self) -> Iterator[StoredRun | UnreadablePart]:
        """Yield the runs, and the descriptions of runs and experiments that cannot be read."""
        for experiment in _folders(self._folder):
            described = _described(experiment)
            if isinstance(described, UnreadablePart):
                if any((folder / _META).is_file() for folder in _folders(experiment)):
                    yield described
                continue
            for folder in _folders(experiment):
                if (folder / _META).is_file():
                    yield self._run(folder, described)

    def points(self, run_id: str) -> Iterator[Point | UnreadablePart]:
        """Yield the points of a run in order, whose lines are read as they are needed; problems come first."""
        folder = self._runs[run_id] / "metrics"
        problems: list[UnreadablePart] = []
        series = [sorted(_points(path, key, problems), key=_order) for key, path in _files(folder)]
        yield from problems
        yield from heapq.merge(*series, key=_order)

    def _run(self, folder: Path, experiment: dict[str, Any]) -> StoredRun | UnreadablePart:
        described = _described(folder)
        if isinstance(described, UnreadablePart):
            return described
        run_id = str(described.get("run_id") or described.get("run_uuid") or folder.name)
        self._runs[run_id] = folder
        try:
            params, tags = (dict(_texts(folder / name)) for name in ("params", "tags"))
            content = files_fingerprint([folder / _META, *(path for _, path in _files(folder / "metrics"))])
        except OSError as error:
            return UnreadablePart(str(folder), error.strerror or str(error))
        status = described.get("status")
        return StoredRun(
            run_id=run_id,
            experiment=str(experiment.get("name") or folder.parent.name),
            name=str(described.get("run_name") or described.get("name") or ""),
            user=str(described.get("user_id") or ""),
            status=_STATES.get(status, "") if isinstance(status, int) else str(status or ""),
            started=_integer(described.get("start_time")),
            ended=_integer(described.get("end_time")),
            deleted="deleted" in {described.get("lifecycle_stage"), experiment.get("lifecycle_stage")},
            artifact_uri=_artifacts(folder, str(described.get("artifact_uri") or "")),
            digest=digest(content, *(f"{key}={value}" for key, value in sorted((params | tags).items()))),
            params=params,
            tags=tags,
        )


def _artifacts(folder: Path, uri: str) -> str:
    """Return where the artifacts are: in the folder of the run, if that was moved and the URI leads nowhere."""
    path, own = local_path(uri), folder / "artifacts"
    return str(own) if (path is not None and not path.is_dir()) or not uri else uri


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return sorted(Path(one.path) for one in found if one.is_dir(follow_symlinks=False) and one.name[:1] != ".")
    except OSError:
        return []


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return the files below a folder by their names in it; no link to a folder is followed."""
    found = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return sorted((path.relative_to(folder).as_posix(), path) for path in found if path.is_file())


def _described(folder: Path) -> dict[str, Any] | UnreadablePart:
    path = folder / _META
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        return UnreadablePart(str(path), f"it cannot be read: {str(error).splitlines()[0]:.200}")
    return found if isinstance(found, dict) else UnreadablePart(str(path), "it is not a description of MLflow")


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for name, path in _files(folder):
        with path.open("rb") as file:
            yield name, file.read(_LONGEST_TEXT).decode("utf-8", "replace").rstrip("\n")


def _points(path: Path, key: str, problems: list[UnreadablePart]) -> Iterator[Point]:
    """Yield the points in the lines ``TIME VALUE [STEP …]`` of a metric."""
    wrong, first = 0, ""
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    time, value, *more = line.split()
                    yield Point(int(more[0]) if more else 0, int(time), key, float(value))
                except ValueError:
                    wrong, first = wrong + 1, first or f"{line!r:.80}"
    except OSError as error:
        problems.append(UnreadablePart(str(path), error.strerror or str(error)))
    if wrong:
        problems.append(UnreadablePart(str(path), f"{wrong:,} line(s) are not TIME VALUE STEP, such as {first}"))


def _order(point: Point) -> tuple[int, int, str]:
    return point.step, point.time, point.key


def _integer(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
