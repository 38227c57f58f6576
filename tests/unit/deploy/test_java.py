"""Finding the Java runtime, and the errors if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_deploy.exceptions import MissingToolError
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
def test_release_is_parsed(text: str, release: int) -> None:
    """Old and new version formats are supported."""
    assert release_of(text) == release


def test_missing_java_is_reported(tmp_path: Path) -> None:
    """The message names the package to install."""
    with pytest.raises(MissingToolError, match="was not found; install Java 17 or newer"):
        find_java({"PATH": str(tmp_path)})


def test_wrong_java_home_is_reported(tmp_path: Path) -> None:
    """A JAVA_HOME without Java is an error; the path is not searched."""
    with pytest.raises(MissingToolError, match=f"{tmp_path}/bin/java, which Kafka needs, does not start"):
        find_java({"JAVA_HOME": str(tmp_path), "PATH": ""})


def test_old_java_is_refused(tmp_path: Path) -> None:
    """The message states the release and the program."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    program.chmod(0o755)
    with pytest.raises(MissingToolError, match=f"17 or newer and {program} is Java 11"):
        find_java({"JAVA_HOME": str(tmp_path)})


def test_java_of_this_machine_is_found() -> None:
    """The Java of the other tests is new enough."""
    assert find_java().release >= 17
