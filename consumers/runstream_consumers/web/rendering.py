"""Rendering of the templates."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.web import filters
from runstream_schemas.losses import lost_text


@cache
def templates() -> Environment:
    """Return the templates; every value is escaped, and an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("runstream_consumers.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    for name in ("short", "exact", "duration", "ago", "iso", "clock", "count", "markdown", "bars"):
        environment.filters[name] = getattr(filters, name)
    environment.globals |= {"embed": False, "lost_text": lost_text}
    environment.filters["project_path"] = lambda project: documents.project_path(project.entity, project.project)
    return environment


def render(template: str, **values: Any) -> str:
    """Return the HTML of a template; lone surrogates, which UTF-8 cannot express, are replaced."""
    text = templates().get_template(template).render(**values)
    return text.encode(errors="replace").decode()
