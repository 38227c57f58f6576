"""The size and shape of the source: small files, packages and functions, and no import cycles."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "consumers": "runstream_consumers",
    "deploy": "runstream_deploy",
    "producer": "runstream",
    "schemas": "runstream_schemas",
}
LINES_OF_FILE = 400
MODULES_OF_PACKAGE = 15
LINES_OF_FUNCTION = 6
LINES_OF_SOURCE = 77_500
#: Recorded with other tools and kept unchanged.
CORPUS = {"tests/parity/kit.py", "tests/parity/run_parity.py"}


@cache
def files(*rooms: str) -> dict[str, str]:
    """Return the text of each Python file by its path in the repository."""
    paths = (path for room in rooms for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts)
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def test_files_are_short() -> None:
    """No file has more than 400 lines, tests included."""
    lines = {path: text.count("\n") for path, text in files(*ROOMS, "tests").items() if path not in CORPUS}

    assert {path: count for path, count in lines.items() if count > LINES_OF_FILE} == {}


def test_packages_are_small() -> None:
    """No package has more than 15 modules."""
    packages: dict[str, list[str]] = {}
    for path in map(Path, files(*ROOMS)):
        if path.name != "__init__.py":
            packages.setdefault(str(path.parent), []).append(path.stem)

    assert {name: modules for name, modules in packages.items() if len(modules) > MODULES_OF_PACKAGE} == {}


def test_the_source_does_not_grow() -> None:
    """The number of lines of all source files stays below its limit."""
    assert sum(text.count("\n") for text in files(*ROOMS).values()) <= LINES_OF_SOURCE


def test_functions_are_short() -> None:
    """Half of all functions have at most six lines, signature and docstring included."""
    lengths = [length for text in files(*ROOMS).values() for length in lengths_of_functions(text)]

    assert median(lengths) <= LINES_OF_FUNCTION


def lengths_of_functions(text: str) -> Iterator[int]:
    """Yield the number of lines of each function in a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


def test_there_are_no_import_cycles() -> None:
    """No module imports itself through others; imports for type checking and within functions are included."""
    graph = grimp.build_graph(*ROOMS.values(), cache_dir=None)
    cycles = [graph.find_upstream_modules(module) & graph.find_downstream_modules(module) for module in graph.modules]

    assert {module for cycle in cycles for module in cycle} == set()
