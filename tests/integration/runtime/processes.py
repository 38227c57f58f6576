"""Consumer processes as the stack runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def environment_of(broker: str, prefix: str, database: str, **more: str) -> dict[str, str]:
    """Return the environment of a consumer process of the test's topics and database."""
    return os.environ | {
        "RUNSTREAM_KAFKA": broker,
        "RUNSTREAM_POSTGRES": database,
        "RUNSTREAM_PREFIX": prefix,
        "RUNSTREAM_PARTITIONS": "2",
        **more,
    }


def start_consumer(name: str, environment: dict[str, str], log: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the consumer of that name; its log is appended to a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "runstream_consumers.runtime", name, *options],
            env=environment,
            stdout=file,
            stderr=file,
        )


def run_consumer(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command of a consumer to its end."""
    command = [sys.executable, "-m", "runstream_consumers.runtime", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def consumer_process(
    name: str, environment: dict[str, str], log: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a consumer process until the block ends."""
    process = start_consumer(name, environment, log, *options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
