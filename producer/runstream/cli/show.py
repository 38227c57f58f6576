"""The command ``show``."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.live import Live

from runstream.cli.console import output
from runstream.cli.find import RunPath, find_run
from runstream.cli.run_view import Snapshot, run_view
from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.run import Run
from runstream_schemas import values


def show(
    run: RunPath,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Redraw until the run ends or Ctrl-C.")] = False,  # noqa: FBT002 - typer's interface
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between updates with --watch.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """Show a run: state and transitions, metrics as curves, summary, alerts, and delivery."""
    if watch and as_json:
        raise UsageError("Invalid options --watch and --json: use only one of them")
    found = find_run(Api(), run)
    if as_json:
        typer.echo(values.dump(Snapshot.read(found).to_json()))
    elif watch:
        _watch(found, interval)
    else:
        console = output()
        console.print(run_view(Snapshot.read(found), datetime.now(tz=UTC), console.width))


def _watch(run: Run, interval: float) -> None:
    display = Live(console=output(), auto_refresh=False, vertical_overflow="visible")
    with display as live, contextlib.suppress(KeyboardInterrupt):
        while True:
            snapshot = Snapshot.read(run)
            live.update(run_view(snapshot, datetime.now(tz=UTC), live.console.width), refresh=True)
            if snapshot.ended:
                return
            time.sleep(interval)
