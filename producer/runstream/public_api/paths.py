"""The paths that name runs and projects, as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from runstream.exceptions import UsageError
from runstream_schemas.topics import DEFAULT_PROJECT, canonical_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What stands for the parts that a path leaves out; an entity of None is the server's."""

    entity: str | None = None
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRun:
    """A run as a path named it; ``entity`` is None where the server's default is meant."""

    entity: str | None
    project: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedProject:
    """A project as a path named it; ``entity`` is None where the server's default is meant."""

    entity: str | None
    project: str


def parse_run(text: str, defaults: Defaults) -> NamedRun:
    """Read ``entity/project/id``, ``entity/project/runs/id``, ``project/id``, ``id`` or the URL of a run's page.

    Raises UsageError where it is none of these.
    """
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
    raise UsageError(f"{text!r} names no run: write 'entity/project/id', 'project/id' or the URL of its page")


def parse_project(text: str, defaults: Defaults) -> NamedProject:
    """Read ``entity/project``, ``project``, an empty text or the URL of a project's page; raises UsageError."""
    match _parts(text):
        case [entity, project]:
            return NamedProject(entity=entity, project=canonical_project(project))
        case [project]:
            return NamedProject(entity=defaults.entity, project=canonical_project(project))
        case []:
            return NamedProject(entity=defaults.entity, project=canonical_project(defaults.project))
    raise UsageError(f"{text!r} names no project: write 'entity/project', 'project' or the URL of its page")


def url_path(*parts: str) -> str:
    """Return a URL path of parts, each quoted."""
    return "/".join(quote(part, safe="") for part in parts)


def _parts(text: str) -> list[str]:
    if "://" in text:
        return [unquote(part) for part in urlsplit(text).path.split("/") if part]
    return [part for part in text.strip().split("/") if part]
