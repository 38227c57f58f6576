"""The commands that read runs back, ``runs`` and ``show``, and ``stop``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from runstream.cli.view import run_view, runs_table, take
from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.exceptions import NotFoundError
from runstream.public_api.run import Run
from runstream_schemas import values

#: How many of the newest runs are searched for a bare id.
_SEARCHED = 500

Json = Annotated[bool, typer.Option("--json", help="Print JSON; non-finite numbers are tagged.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("runs")(runs)
    app.command("show")(show)
    app.command("stop")(stop)


def runs(
    project: Annotated[
        str | None, typer.Argument(metavar="[PROJECT]", help="[ENTITY/]PROJECT; all projects without.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs, newest first.")] = 20,
    as_json: Json = False,  # noqa: FBT002  # typer's way
) -> None:
    """List runs: state, name, age, steps and the first values of the summary."""
    documents = [run.load() for run in islice(Api().runs(project, per_page=min(limit, 500)), limit)]
    if as_json:
        typer.echo(values.dump(documents))
    elif documents:
        console = Console()
        console.print(runs_table(documents, datetime.now(tz=UTC), console.width))
    else:
        where = f" in {project}" if project else ""
        Console(stderr=True).print(f"No runs{where} yet: a script that calls runstream.init() makes one.", markup=False)


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="[[ENTITY/]PROJECT/]ID, or the URL of its page.")],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Redraw until the run has ended or Ctrl-C.")] = False,  # noqa: FBT002
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks with --watch.")] = 1.0,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show a run: state and how it came about, metrics as curves, summary, and what has been delivered."""
    if watch and as_json:
        raise UsageError("--watch draws and --json prints: choose one")
    found = _find(Api(), run)
    if as_json:
        typer.echo(values.dump(take(found).as_json()))
    elif watch:
        _watch(found, interval)
    else:
        console = Console()
        console.print(run_view(take(found), datetime.now(tz=UTC), console.width))


def stop(
    run: Annotated[str, typer.Argument(metavar="RUN", help="[[ENTITY/]PROJECT/]ID, or the URL of its page.")],
) -> None:
    """Ask for a run to be stopped: its processes see it in run.should_stop, or, with raise_on_stop, are interrupted."""
    found = _find(Api(), run)
    found.stop()
    Console().print(f"Asked {'/'.join(found.path)} to stop", markup=False, highlight=False)


def _watch(run: Run, interval: float) -> None:
    with Live(console=Console(), auto_refresh=False, vertical_overflow="visible") as live:
        try:
            while True:
                snapshot = take(run)
                live.update(run_view(snapshot, datetime.now(tz=UTC), live.console.width), refresh=True)
                if snapshot.ended:
                    return
                time.sleep(interval)
        except KeyboardInterrupt:
            return


def _find(api: Api, text: str) -> Run:
    """Return the run of a path; a bare id may be of any project."""
    try:
        return api.run(text)
    except NotFoundError:
        if "/" in text.strip("/"):
            raise
        matches = [run for run in islice(api.runs(per_page=_SEARCHED), _SEARCHED) if run.id == text]
        if len(matches) == 1:
            return matches[0]
        if matches:
            paths: list[Any] = ["/".join(run.path) for run in matches]
            raise UsageError(f"several runs have the id {text!r}: {', '.join(paths)}") from None
        raise
