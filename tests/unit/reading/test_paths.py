"""The paths that name runs and projects."""

from __future__ import annotations

import pytest

from runstream.exceptions import UsageError
from runstream.server.endpoints import run_address
from runstream.server.paths import NamedProject, NamedRun, parse_project, parse_run
from runstream_schemas.topics import RunPath

_DEFAULTS = NamedProject(entity="me", project="mine")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada/digits/r1", ("ada", "digits", "r1")),
        ("/ada/digits/r1", ("ada", "digits", "r1")),
        ("ada/digits/runs/r1", ("ada", "digits", "r1")),
        ("http://127.0.0.1:8787/ada/digits/runs/r1", ("ada", "digits", "r1")),
        ("https://runs.example.org/ada/my%20digits/runs/r1?x=1#top", ("ada", "my digits", "r1")),
        ("digits/r1", ("me", "digits", "r1")),
        ("/digits/r1", ("me", "digits", "r1")),
        ("r1", ("me", "mine", "r1")),
    ],
)
def test_a_run_can_be_named_in_several_forms(text: str, expected: tuple[str, str, str]) -> None:
    """A full path, the path or URL of a page, or a shorter path with defaults."""
    entity, project, run_id = expected
    assert NamedRun(entity=entity, project=project, run_id=run_id) == parse_run(text, _DEFAULTS)


@pytest.mark.parametrize("text", ["", "/", "a/b/c/d", "a/b/runs/c/d", "http://127.0.0.1/"])
def test_an_invalid_path_of_a_run_is_refused(text: str) -> None:
    """The error has the form of a path."""
    with pytest.raises(UsageError, match="entity/project/id"):
        parse_run(text, _DEFAULTS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada/digits", ("ada", "digits")),
        ("digits", ("me", "digits")),
        ("", ("me", "mine")),
        ("http://127.0.0.1:8787/ada/digits", ("ada", "digits")),
    ],
)
def test_a_project_can_be_named_in_several_forms(text: str, expected: tuple[str, str]) -> None:
    """A full path, the URL of its page, its name, or nothing."""
    assert NamedProject(entity=expected[0], project=expected[1]) == parse_project(text, _DEFAULTS)


def test_an_invalid_path_of_a_project_is_refused() -> None:
    """The error has the form of a path."""
    with pytest.raises(UsageError, match="entity/project"):
        parse_project("a/b/c", _DEFAULTS)


@pytest.mark.parametrize("text", ["../x", "a/./x", "http://127.0.0.1/a/%2e%2e/x", "a/b\nc"])
def test_a_path_with_a_part_that_is_no_name_is_refused(text: str) -> None:
    """It would be the address of something else."""
    for parse in (parse_run, parse_project):
        with pytest.raises(UsageError, match="cannot be the name"):
            parse(text, _DEFAULTS)


def test_names_are_quoted_in_urls() -> None:
    """A slash or a question mark in a name is part of the name."""
    run = RunPath(entity="a/b", project="c?d", run_id="e f")
    assert run_address(run) == "/runs/a%2Fb/c%3Fd/e%20f"
