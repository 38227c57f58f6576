"""The surface of `Run` as the reference documents have it, and the page that says what of it is built.

``python -m tests.contract.surface`` writes docs/api-coverage.md.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).parent
TESTS = HERE.parent
PAGE = TESTS.parent / "docs" / "api-coverage.md"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameter(_Row):
    """A parameter; one without a default is required."""

    name: str
    type: str
    default: Any = None

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return "default" not in self.model_fields_set


class Property(_Row):
    """A property."""

    name: str
    returns: str
    documents: list[str]
    says: str
    settable: bool = False
    deprecated: bool = False
    test: str


class Method(_Row):
    """A method, or the constructor."""

    name: str = "__init__"
    documents: list[str]
    parameters: list[Parameter]
    returns: str = "None"
    raises: list[str] = []
    deprecated: bool = False
    static: bool = False
    #: Comes with files and artifacts.
    later: bool = False
    test: str

    @property
    def call(self) -> str:
        """The method as it is called."""
        return f"{self.name}({', '.join(_shown(parameter) for parameter in self.parameters)})"


class Surface(_Row):
    """Every name of the documents."""

    constructor: Method
    properties: list[Property]
    methods: list[Method]


@functools.cache
def surface() -> Surface:
    """Return what was written down from the documents."""
    return Surface.model_validate(yaml.safe_load((HERE / "seed_surface.yaml").read_text(encoding="utf-8")))


def has_test(name: str) -> bool:
    """Tell whether there is a test FILE::TEST below tests/."""
    file, test = name.split("::")
    path = TESTS / file
    return path.is_file() and any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == test
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def page() -> str:
    """Return the page, in Markdown."""
    found = surface()
    lines = [
        "# What of W&B's `Run` there is",
        "",
        "Made by `python -m tests.contract.surface` from `tests/contract/seed_surface.yaml`, which was written by hand",
        "from three versions of W&B's reference of the SDK's `Run`: 001 is that of v0.18, 002 a later one, 000 the",
        "newest. Where two disagree, the newer wins; what only an older one has is there too.",
        "`tests/contract/test_surface.py` compares signatures with the code, and checks that the tests exist.",
        "",
        "## Constructor",
        "",
        f"`Run({found.constructor.call.partition('(')[2]}`: shown by `{found.constructor.test}`.",
        "",
        "## Properties",
        "",
        "| name | type | documents | | shown by |",
        "|---|---|---|---|---|",
        *(_property_line(row) for row in found.properties),
        "",
        "## Methods",
        "",
        "| call | returns | raises | documents | | shown by |",
        "|---|---|---|---|---|---|",
        *(_method_line(row) for row in found.methods),
        "",
    ]
    return "\n".join(lines)


def _property_line(row: Property) -> str:
    notes = [note for note, holds in (("settable", row.settable), ("deprecated", row.deprecated)) if holds]
    kind = _escaped(row.returns)
    return f"| `{row.name}` | `{kind}` | {', '.join(row.documents)} | {', '.join(notes)} | `{row.test}` |"


def _method_line(row: Method) -> str:
    notes = [note for note, holds in (("comes with files", row.later), ("deprecated", row.deprecated)) if holds]
    raises = ", ".join(f"`{name}`" for name in row.raises)
    documents = ", ".join(row.documents)
    return (
        f"| `{_escaped(row.call)}` | `{_escaped(row.returns)}` | {raises} | {documents} | {', '.join(notes)} "
        f"| `{row.test}` |"
    )


def _shown(parameter: Parameter) -> str:
    return parameter.name if parameter.required else f"{parameter.name}={parameter.default!r}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
