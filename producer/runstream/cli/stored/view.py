"""What a run has stored besides its rows, as it is shown in a terminal: media, files and artifacts, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import humanize
from rich.text import Text

from runstream.artifacts.artifact import Artifact
from runstream.files import table_versions
from runstream.public_api.exceptions import NotFoundError
from runstream.public_api.run import Run
from runstream.terminal.terminal import printable

#: Files whose sizes are added; a run with more has "or more".
_MOST = 1000
#: Names that are shown of a kind, and files that are not stored.
_SHOWN = 4

_COUNTED = (("nrows", "rows"), ("count", "items"))


def stored_files(run: Run) -> list[dict[str, Any]]:
    """Return the first files of a run; none from a server that has no files."""
    try:
        found = list(islice(run.files(per_page=_MOST), _MOST))
    except NotFoundError:
        return []
    return [{"name": one.name, "size": one.size, "state": one.state, "reason": one.reason} for one in found]


def run_artifacts(run: Run) -> dict[str, list[str]]:
    """Return the names of the artifact versions that a run logged and used, those of logged tables last.

    There are none from a server without artifacts.
    """
    try:
        found = {"logged": run.logged_artifacts(_MOST), "used": run.used_artifacts(_MOST)}
        ordered = {way: sorted(islice(some, _MOST), key=_is_of_table) for way, some in found.items()}
        return {way: [one.name for one in some] for way, some in ordered.items()}
    except NotFoundError:
        return {"logged": [], "used": []}


def _is_of_table(artifact: Artifact) -> bool:
    return artifact.type == table_versions.TYPE


def is_media(value: Any) -> bool:
    """Return whether a value of the summary is media: a dict with a type that names files."""
    return isinstance(value, dict) and isinstance(value.get("_type"), str) and value["_type"] != "histogram"


def media_text(value: Mapping[str, Any]) -> str:
    """Return what media are: their type, their size or number, and their caption."""
    parts = [str(value["_type"]).removesuffix("-file")]
    if value.get("width") and value.get("height"):
        parts.append(f"{value['width']} x {value['height']}")
    parts += [f"{value[name]} {unit}" for name, unit in _COUNTED if isinstance(value.get(name), int)]
    caption = value.get("caption")
    return " ".join(parts) + (f": {caption}" if isinstance(caption, str) else "")


def file_rows(files: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Text]]:
    """Yield lines about files: how many are stored, and which are not, with the reason."""
    stored = [one for one in files if one["state"] == "stored"]
    if stored:
        size = humanize.naturalsize(sum(one["size"] for one in stored), format="%.1f")
        more = " or more" if len(files) == _MOST else ""
        yield "files", Text(f"{len(stored):,}{more}, {size}: list them with `runstream files RUN`")
    others = [one for one in files if one["state"] != "stored"]
    for one in others[:_SHOWN]:
        color = "red" if one["state"] == "dropped" else "yellow"
        reason = f": {one['reason']}" if one["reason"] else ""
        yield "file", Text.assemble((one["state"], color), printable(f" {one['name']}{reason}"))
    if len(others) > _SHOWN:
        yield "file", Text(f"{len(others) - _SHOWN} more are not stored")


def artifact_rows(artifacts: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Text]]:
    """Yield lines about the artifacts that a run logged and used; ``artifacts`` has their names by direction."""
    for direction, names in artifacts.items():
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            yield direction, Text(printable(", ".join(names[:_SHOWN])) + more)
