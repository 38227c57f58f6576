"""What the documents promise exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import runstream
from runstream.cli.main import create_app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:^|\s|/|`)runstream ([a-z]+)\b")
TARGET = re.compile(r"\bmake ([a-z]+)\b")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    """Each relative link of a document names a file of the repository."""
    links = LINK.findall(document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_commands_of_the_readme_exist() -> None:
    """Each ``runstream`` command and each ``make`` target of the README is there."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = {name for block in blocks for name in COMMAND.findall(block)}
    targets = set(TARGET.findall((ROOT / "README.md").read_text()))
    told = CliRunner().invoke(create_app(), ["--help"]).output

    assert commands - set(re.findall(r"\b[a-z]+\b", told)) == set()
    assert targets - set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == set()


def test_public_names_are_sorted_and_there() -> None:
    """Everything in ``__all__`` can be reached, in alphabetical order."""
    assert sorted(runstream.__all__) == list(runstream.__all__)
    named = set(runstream.__all__) - {"config", "summary"}
    assert {name for name in named if not hasattr(runstream, name)} == set()
