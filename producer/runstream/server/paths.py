"""The paths and URLs of runs and projects that users pass."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from runstream.exceptions import UsageError
from runstream_schemas.topics import DEFAULT_PROJECT, canonical_project, is_name


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRun:
    """A run that a path names; ``entity`` is None for the server's default."""

    entity: str | None
    project: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedProject:
    """A project that a path names; ``entity`` is None for the server's default."""

    entity: str | None = None
    project: str = DEFAULT_PROJECT


def parse_run(text: str, defaults: NamedProject) -> NamedRun:
    """Parse ``entity/project/id``, ``entity/project/runs/id``, ``project/id``, ``id`` or a URL; raises UsageError."""
    parts = _parts(text)
    if len(parts) == 4 and parts[2] == "runs":  # noqa: PLR2004
        del parts[2]
    match parts:
        case [entity, project, run_id]:
            return NamedRun(entity=entity, project=canonical_project(project), run_id=run_id)
        case [project, run_id]:
            return NamedRun(entity=defaults.entity, project=canonical_project(project), run_id=run_id)
        case [run_id]:
            return NamedRun(entity=defaults.entity, project=canonical_project(defaults.project), run_id=run_id)
    raise UsageError(
        f"Invalid path {text!r} of a run: expected 'entity/project/id', 'project/id' or the URL of its page"
    )


def parse_project(text: str, defaults: NamedProject) -> NamedProject:
    """Parse ``entity/project``, ``project``, an empty text or the URL of a project's page; raises UsageError."""
    match _parts(text):
        case [entity, project]:
            return NamedProject(entity=entity, project=canonical_project(project))
        case [project]:
            return NamedProject(entity=defaults.entity, project=canonical_project(project))
        case []:
            return NamedProject(entity=defaults.entity, project=canonical_project(defaults.project))
    raise UsageError(f"Invalid path {text!r} of a project: expected 'entity/project', 'project' or the URL of its page")


def _parts(text: str) -> list[str]:
    is_url = "://" in text
    path = urlsplit(text).path if is_url else text.strip()
    parts = [unquote(part) if is_url else part for part in path.split("/") if part]
    for part in parts:
        if not is_name(part):  # a request for it would be one for another address
            raise UsageError(f"Invalid path {text!r}: {part!r} cannot be the name of an entity, a project or a run")
    return parts
