"""Checked aliases, tags and targets of links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_schemas.stored.artifact_names import (
    LATEST,
    Reference,
    parse_reference,
    problem_of_alias,
    problem_of_tag,
    version_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def checked_aliases(aliases: Iterable[str] | str | None) -> list[str]:
    """Return aliases without repetitions and ``latest``, which follows from the versions; raises ValueError."""
    found = _checked("alias", aliases, problem_of_alias)
    for alias in found:
        if version_number(alias) is not None:
            raise ValueError(f"Invalid alias {alias!r}: the server numbers the versions")
    return [alias for alias in found if alias != LATEST]


def checked_tags(tags: Iterable[str] | str | None) -> list[str]:
    """Return tags without repetitions; raises ValueError."""
    return _checked("tag", tags, problem_of_tag)


def _checked(what: str, given: Iterable[str] | str | None, problem_of: Callable[[str], str]) -> list[str]:
    found = list(dict.fromkeys([given] if isinstance(given, str) else given or ()))
    for one in found:
        problem = problem_of(one) if isinstance(one, str) else f"it is a {type(one).__name__}, expected a string"
        if problem:
            raise ValueError(f"Invalid {what} {one!r:.200} of an artifact: {problem}")
    return found


def link_target(text: str, entity: str, project: str) -> Reference:
    """Return the collection ``[[entity/]project/]name``; raises ValueError if the text names a version or none."""
    found = parse_reference(text)
    if found.version:
        raise ValueError(f"Invalid target {text!r} of a link: expected a collection without ':{found.version}'")
    return Reference(entity=found.entity or entity, project=found.project or project, name=found.name)
