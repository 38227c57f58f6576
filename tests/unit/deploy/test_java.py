"""Finding a Java that Kafka runs on, and what is said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_deploy.exceptions import MissingTool
from runstream_deploy.services.java import find_java, release_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ('java version "1.8.0_292"', 8),
        ('openjdk version "11.0.2" 2019-01-15', 11),
        ("something else", 0),
    ],
)
def test_the_release_is_read_from_what_java_says(text: str, release: int) -> None:
    """Old and new forms of the version are understood."""
    assert release_of(text) == release


def test_a_missing_java_is_said_with_what_to_install(tmp_path: Path) -> None:
    """With nothing on the path the message names the package."""
    with pytest.raises(MissingTool, match="none was found; install Java 17 or newer"):
        find_java({"PATH": str(tmp_path)})


def test_a_java_home_without_java_is_said(tmp_path: Path) -> None:
    """A wrong JAVA_HOME is named rather than passed over."""
    with pytest.raises(MissingTool, match=f"{tmp_path}/bin/java does not start"):
        find_java({"JAVA_HOME": str(tmp_path), "PATH": ""})


def test_an_old_java_is_refused(tmp_path: Path) -> None:
    """The message says which release was found where."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    program.chmod(0o755)
    with pytest.raises(MissingTool, match=f"17 or newer and {program} is Java 11"):
        find_java({"JAVA_HOME": str(tmp_path)})


def test_the_java_of_this_machine_is_found() -> None:
    """What the other tests run on is new enough."""
    assert find_java().release >= 17
