"""The documentation refers to files, commands and names that exist."""

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
#: A path in the guide to the source, such as `deploy/runstream_deploy/stack/`.
SOURCE = re.compile(r"`((?:consumers|deploy|producer|schemas|tests)/[\w./]*)`")
TARGET = re.compile(r"\bmake ([a-z]+)\b")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_point_to_files(document: Path) -> None:
    """Each relative link in a document is the path of a file."""
    links = LINK.findall(document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_paths_of_the_architecture_page_exist() -> None:
    """Each source path that the page names is a file or folder of the repository."""
    paths = SOURCE.findall((ROOT / "docs" / "architecture.md").read_text())

    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_commands_of_the_readme_exist() -> None:
    """Each ``runstream`` command and ``make`` target in the README exists."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = {name for block in blocks for name in COMMAND.findall(block)}
    targets = set(TARGET.findall((ROOT / "README.md").read_text()))
    usage = CliRunner().invoke(create_app(), ["--help"]).output

    assert commands - set(re.findall(r"\b[a-z]+\b", usage)) == set()
    assert targets - set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == set()


def test_public_names_are_sorted_and_exist() -> None:
    """Every name in ``__all__`` exists; the list is in alphabetical order."""
    assert sorted(runstream.__all__) == list(runstream.__all__)
    named = set(runstream.__all__) - {"config", "summary"}
    assert {name for name in named if not hasattr(runstream, name)} == set()
