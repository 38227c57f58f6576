"""Finding the run that a command names."""

from __future__ import annotations

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

#: How many of the newest runs are searched for an id without a project.
_SEARCHED = 500


def find_run(api: Api, path: str) -> Run:
    """Return the run with a path. An id without a project is searched in all projects, and must be unique."""
    try:
        return api.run(path)
    except NotFoundError:
        if "/" in path.strip("/"):
            raise
        matches = [run for run in islice(api.runs(per_page=_SEARCHED), _SEARCHED) if run.id == path]
        if not matches:
            raise
        if len(matches) > 1:
            paths = ", ".join("/".join(run.path) for run in matches)
            raise UsageError(f"Ambiguous run id {path!r}: use one of {paths}") from None
        return matches[0]
