"""Finding the run or the project that a command names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import typer

from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.exceptions import NotFoundError
from runstream.public_api.run import Run

RunPath = Annotated[
    str, typer.Argument(metavar="RUN", help="[[ENTITY/]PROJECT/]ID, or the URL of the run's page.", show_default=False)
]

#: How many of the newest runs are compared with a misspelled id.
_COMPARED = 500
_SUGGESTED = 3


def find_run(api: Api, path: str) -> Run:
    """Return the run with a path. An id without a project is looked up in all projects.

    Raises:
        UsageError: Several projects have the id.
        NotFoundError: The run is unknown; the message has similar ones.
    """
    if is_id := "/" not in path.strip("/"):
        found = runs_with_id(api, path.strip("/"))
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join("/".join(run.path) for run in found)
            raise UsageError(f"Ambiguous run id {path!r}: use one of {paths}")
    try:
        return api.run(path)
    except NotFoundError as error:
        message = f"Unknown run {path!r}: no project has a run with this id" if is_id else str(error).rstrip(".")
        raise NotFoundError(message + _suggestion(_similar_runs(api, path))) from None


def runs_with_id(api: Api, run_id: str) -> list[Run]:
    """Return the runs with an id, in all projects; only that of the environment's project if it has one."""
    found = list(islice(api.select(id=run_id), _COMPARED)) if run_id else []
    project = os.environ.get("RUNSTREAM_PROJECT") or os.environ.get("WANDB_PROJECT")
    return [run for run in found if run.project == project] or found


def unknown_project(api: Api, path: str) -> NotFoundError:
    """Return the error for a project without runs, with the names of similar ones."""
    projects = api.projects()
    names = {item.name: item.id for item in projects}
    known = {**names, **{name: name for name in names.values()}}
    return NotFoundError(f"Unknown project {path!r}: no run of it has arrived{_suggestion(_similar(path, known))}")


def is_project(api: Api, path: str) -> bool:
    """Return whether a project has runs, whatever their state."""
    return bool(list(islice(api.runs(path, per_page=1), 1)))


def _similar_runs(api: Api, path: str) -> list[str]:
    last = path.rstrip("/").rpartition("/")[2]
    known: dict[str, str] = {}
    for run in islice(api.select(per_page=_COMPARED), _COMPARED):
        known[run.id] = known[run.name] = "/".join(run.path)
    return _similar(last, known)


def _similar(name: str, known: dict[str, str]) -> list[str]:
    """Return what names with a similar spelling stand for."""
    folded = {text.casefold(): meaning for text, meaning in known.items()}
    close = difflib.get_close_matches(name.casefold(), folded, n=_SUGGESTED)
    return list(dict.fromkeys(folded[text] for text in close))


def _suggestion(found: Iterable[str]) -> str:
    names = ", ".join(found)
    return f". Did you mean {names}?" if names else ""
