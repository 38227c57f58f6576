"""Named queries: ``.sql`` files with a line ``-- name: some_name`` before each statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from typing import Any

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


def load_queries(file: Traversable) -> Mapping[str, str]:
    """Return the statements of a file by name; raises ValueError if a name occurs twice."""
    _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
    queries: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"{file.name}: two queries are named {name}")
        queries[name] = text.strip().rstrip(";").rstrip()
    return queries


def columns_of(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Return the columns of rows, of which there must be one: the arrays that a statement unnests."""
    return [list(column) for column in zip(*rows, strict=True)]
