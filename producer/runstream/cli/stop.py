"""The command ``stop``."""

from __future__ import annotations

from rich.console import Console

from runstream.cli.find_run import RunPath, find_run
from runstream.public_api.api import Api


def stop(run: RunPath) -> None:
    """Request that a run stops: run.should_stop becomes True, or with raise_on_stop the process is interrupted."""
    found = find_run(Api(), run)
    found.stop()
    Console().print(f"Requested {'/'.join(found.path)} to stop", markup=False, highlight=False)
