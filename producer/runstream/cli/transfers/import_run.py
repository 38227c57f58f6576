"""Running an import: progress, report and exit status."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runstream.cli.console import print_note
from runstream.importing import session
from runstream.importing.records import Found, SourceRun
from runstream.importing.remote import RemoteRuns
from runstream.importing.report import Report, RunReport
from runstream.public_api.api import Api
from runstream.run_names import validate_name
from runstream.settings import checked_settings, server_environ
from runstream_schemas import values

#: Exit status if all runs are imported, but not everything of them.
PARTLY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options that all sources have."""

    project: str | None
    entity: str | None
    root: Path
    offline: bool
    dry_run: bool
    as_json: bool
    verbose: bool


def run_import(found: Iterable[Found], choices: Choices) -> None:
    """Import what a source finds, show progress, print the report, and exit with its status."""
    for what, name in (("project", choices.project), ("entity", choices.entity)):
        if name is not None:
            validate_name(what, name)
    server = None if choices.offline or choices.dry_run else _server(choices.entity)
    report = Report()
    try:
        _import(found, choices, server, report)
    except BaseException:  # Ctrl-C, no server any more, a full disk: what was imported until then
        _print(report, choices)
        if report.runs:
            print_note("The import is not complete: repeat the command to go on")
        raise
    _print(report, choices)
    raise typer.Exit(1 if report.failed or not report.runs else 0 if report.whole else PARTLY)


def _import(found: Iterable[Found], choices: Choices, server: RemoteRuns | None, report: Report) -> None:
    with _progress() as progress:
        task = progress.add_task("Reading", total=None)
        runs = list(found)
        progress.update(task, total=len(runs))

        def show(run: SourceRun, records: int) -> None:
            progress.update(task, description=f"{run.run_id}: {records:,} records")

        for one in _reports(runs, choices, server, show):
            report.runs.append(one)
            progress.update(task, advance=1, description=one.path or one.place)


def _print(report: Report, choices: Choices) -> None:
    if choices.as_json:
        typer.echo(values.dump(report.to_json()))
    else:
        for line in report.lines(every=choices.verbose):
            typer.echo(line)


def _server(entity: str | None) -> RemoteRuns:
    server = RemoteRuns(Api({"entity": entity} if entity else None))
    server.check()
    return server


def _reports(
    runs: Sequence[Found], choices: Choices, server: RemoteRuns | None, show: session.Progress
) -> Iterator[RunReport]:
    destination = session.Destination(choices.entity, choices.project)
    if choices.dry_run:
        yield from session.count(runs, destination, show)
        return
    deliver: Callable[[Path], str] | None = None if server is None else _deliver
    importer = session.Importer(choices.root, destination, server=server, deliver=deliver, progress=show)
    try:
        yield from importer.run(runs)
    finally:
        importer.close()


def _deliver(folder: Path) -> str:
    """Deliver a run folder as `runstream sync` does; return what was lost.

    Raises DeliveryError, or KeyboardInterrupt after Ctrl-C.
    """
    from runstream.shipper.sync import State, deliver_all  # noqa: PLC0415 - the shipper's libraries are large

    environ = server_environ(os.environ, checked_settings({}))
    (result,) = deliver_all([folder], environ=environ)
    if result.state is State.INTERRUPTED:
        raise KeyboardInterrupt
    if not result.state.good:
        raise session.DeliveryError(f"recorded in {folder}, and not delivered: {result.problem}")
    return str(result.delivered.losses) if result.delivered.lost else ""


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
