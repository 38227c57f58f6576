"""Programs that track a run, started as separate processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN = """
import os, signal, sys, threading, time
import runstream
run = runstream.init(project="demo", id="r1", mode="offline", settings={"silent": True})
"""


def environment(folder: Path) -> dict[str, str]:
    """Return an environment without settings of Runstream and W&B, with a folder as home."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RUNSTREAM_", "WANDB_", "XDG_"))}
    return {**kept, "HOME": str(folder), "PYTHONWARNINGS": "error"}


@contextmanager
def started(folder: Path, source: str, *, begin: str = BEGIN, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a folder with its output in pipes; kill it at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", begin + source],
        cwd=folder,
        env=environment(folder) | more,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def finished(folder: Path, source: str, *, begin: str = BEGIN, **more: str) -> tuple[int, str, str]:
    """Run a program until it exits; return exit status, stdout and stderr."""
    with started(folder, source, begin=begin, **more) as process:
        try:
            output, errors = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its children, which must not run beside later tests
            raise
    return process.returncode, output, errors
