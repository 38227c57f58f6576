"""Finding the Java runtime that Kafka runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from runstream_deploy.exceptions import MissingToolError

#: Oldest release that Kafka 4 supports.
OLDEST = 17
_ADVICE = f"install Java {OLDEST} or newer (Debian, Ubuntu: apt install openjdk-17-jre-headless) or set JAVA_HOME"


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime: its program, its major release and its full version text."""

    program: str
    release: int
    version: str


def find_java(environment: Mapping[str, str] = os.environ) -> Java:
    """Return the Java of ``JAVA_HOME``, else the one on the path; raise MissingToolError if it cannot run Kafka."""
    home = environment.get("JAVA_HOME")
    program = f"{home}/bin/java" if home else shutil.which("java", path=environment.get("PATH"))
    if program is None:
        raise MissingToolError(f"Java, which Kafka needs, was not found; {_ADVICE}")
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingToolError(f"{program}, which Kafka needs, does not start ({error}); {_ADVICE}") from error
    release = release_of(answer.stderr + answer.stdout)
    if release < OLDEST:
        raise MissingToolError(f"Kafka needs Java {OLDEST} or newer and {program} is Java {release}; {_ADVICE}")
    return Java(program, release, answer.stderr)


def release_of(version: str) -> int:
    """Return the major release in the output of ``java -version`` (8 for "1.8.0_292"), 0 if there is none."""
    found = re.search(r'version "(?:1\.)?(\d+)', version)
    return int(found[1]) if found else 0
