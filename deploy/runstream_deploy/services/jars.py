"""Kafka's jars: downloaded once from Maven Central and kept in the cache folder of the user."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runstream_deploy.exceptions import MissingToolError
from runstream_deploy.processes.child import Command, launch_arguments

#: The release in pom.xml; a test checks that both agree.
KAFKA_VERSION = "4.3.0"
POM = Path(__file__).with_name("pom.xml")

#: Displays a line to the user.
Report = Callable[[str], None]


def fetch_jars(cache: Path, report: Report = lambda _: None) -> list[Path]:
    """Return Kafka's jars in a fixed order, after downloading them to the cache folder the first time.

    Safe for concurrent processes. MissingToolError is raised if Maven is missing, or could not download the jars.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    with file_lock(cache / "jars.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="jars-") as temporary:
                target = Path(temporary) / "libs"
                _run_maven(target, report)
                target.rename(folder)
    return sorted(folder.glob("*.jar"))


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is created unless it exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run_maven(target: Path, report: Report) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingToolError(
            "Maven, which downloads Kafka, was not found; install it (Debian, Ubuntu: apt install maven)"
        )
    report(activity := f"downloading Apache Kafka {KAFKA_VERSION} from Maven Central")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    command = Command(arguments=[maven, "-B", "-f", str(POM), *goal])
    last: deque[str] = deque(maxlen=15)
    fetched = 0
    with subprocess.Popen(  # noqa: S603 - Maven, with our own pom
        launch_arguments(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or []:
            last.append(line)
            if "Downloaded from" in line and ".jar" in line:
                fetched += 1
                if fetched % 10 == 0:
                    report(f"{activity}: {fetched} jars")
    if process.returncode != 0:
        raise MissingToolError(f"Maven could not download Kafka:\n{''.join(last)}")
