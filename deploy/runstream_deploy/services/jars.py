"""Kafka's jars: fetched once from Maven Central, kept in the user's cache folder."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from runstream_deploy.exceptions import MissingTool
from runstream_deploy.processes.child import Command, launched

#: The release that pom.xml names; a test holds the two together.
KAFKA_VERSION = "4.3.0"
_COPY = "dependency:copy-dependencies"
POM = Path(__file__).with_name("pom.xml")

#: Takes one line for the user to see.
Report = Callable[[str], None]


def silent(_line: str) -> None:
    """Report nothing."""


def cache_folder() -> Path:
    """Return the folder for what can be made again: the jars and the class archive."""
    return Path(platformdirs.user_cache_dir("runstream"))


def fetch_jars(cache: Path, report: Report = silent) -> list[Path]:
    """Return Kafka's jars in a fixed order, fetching them first where they are not there.

    Args:
        cache: Folder that keeps them; made where it does not exist. Several processes may ask at once.
        report: Told how the download goes.

    Raises:
        MissingTool: Maven is missing, or could not fetch the jars.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    with locked(cache / "jars.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="jars-") as temporary:
                target = Path(temporary) / "libs"
                _run_maven(target, report)
                target.rename(folder)
    return sorted(folder.glob("*.jar"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made where it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run_maven(target: Path, report: Report) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingTool(
            "Maven fetches Kafka's jars and was not found; install it (Debian, Ubuntu: apt install maven)"
        )
    report(f"fetching Apache Kafka {KAFKA_VERSION} from Maven Central")
    command = Command(arguments=[maven, "-B", "-f", str(POM), _COPY, f"-DoutputDirectory={target}"])
    last: deque[str] = deque(maxlen=15)
    fetched = 0
    with subprocess.Popen(  # noqa: S603 - Maven, with our own pom
        launched(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or []:
            last.append(line)
            if "Downloaded from" in line and ".jar" in line:
                fetched += 1
                if fetched % 10 == 0:
                    report(f"fetching Apache Kafka {KAFKA_VERSION} from Maven Central: {fetched} jars")
    if process.returncode != 0:
        raise MissingTool(f"Maven could not fetch Kafka's jars:\n{''.join(last)}")
