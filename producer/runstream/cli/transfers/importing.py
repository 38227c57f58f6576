"""The commands ``import wandb``, ``tensorboard``, ``mlflow`` and ``neptune``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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

Places = Annotated[list[Path], typer.Argument(metavar="PLACE", help="Files or folders.", show_default=False)]
Project = Annotated[
    str | None, typer.Option("--project", "-p", help="The project of all runs. Default: those of the source.")
]
Entity = Annotated[str | None, typer.Option("--entity", "-e", help="The entity. Default: that of the server.")]
Root = Annotated[
    Path,
    typer.Option("--dir", help="Parent of the folder `runstream`, where runs are recorded first.", file_okay=False),
]
Offline = Annotated[bool, typer.Option("--offline", help="Only record; `runstream sync` delivers the runs later.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only read, and report what would be imported.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="List every run in the report.")]


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


def register(app: typer.Typer) -> None:
    """Add the commands."""
    text = "Import runs of other trackers. A repeated import skips what was imported."
    group = typer.Typer(name="import", help=text, add_completion=False, no_args_is_help=True)
    group.command("wandb")(wandb)
    group.command("tensorboard")(tensorboard)
    group.command("mlflow")(mlflow)
    group.command("neptune")(neptune)
    app.add_typer(group)


def wandb(
    places: Places,
    *,
    project: Project = None,
    entity: Entity = None,
    root: Root = Path(),
    offline: Offline = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Import runs that W&B recorded on this machine: `.wandb` files, run folders, or folders of these.

    Imports rows, config, summary, metric definitions, console, system metrics, alerts, files, and artifacts whose files
    are still on this machine. The package wandb is not needed.

    Examples: `runstream import wandb wandb`, `runstream import wandb wandb/offline-run-* --project digits --dry-run`
    """
    # Here and below: each source only where it is used.
    from runstream.importing.wandb.source import find_runs  # noqa: PLC0415

    run_import(
        find_runs(places),
        Choices(
            project=project,
            entity=entity,
            root=root,
            offline=offline,
            dry_run=dry_run,
            as_json=as_json,
            verbose=verbose,
        ),
    )


def tensorboard(
    places: Places,
    *,
    project: Project = None,
    entity: Entity = None,
    root: Root = Path(),
    offline: Offline = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Import TensorBoard's event files. Each folder that has some is a run, and the given folder is the project.

    Imports scalars, texts, histograms, images and hyperparameters; needs `pip install 'runstream[tensorboard]'`.

    Examples: `runstream import tensorboard logs`, `runstream import tensorboard logs/a logs/b --project digits`
    """
    from runstream.importing.tensorboard import find_runs  # noqa: PLC0415

    run_import(
        find_runs(places),
        Choices(
            project=project,
            entity=entity,
            root=root,
            offline=offline,
            dry_run=dry_run,
            as_json=as_json,
            verbose=verbose,
        ),
    )


def mlflow(
    stores: Annotated[
        list[str],
        typer.Argument(metavar="STORE", help="sqlite:///PATH, postgresql://…, a file, or a folder mlruns."),
    ],
    *,
    project: Project = None,
    entity: Entity = None,
    root: Root = Path(),
    offline: Offline = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Import runs of MLflow from its database (SQLite, PostgreSQL) or its folder mlruns. Its experiments are projects.

    Imports metrics, parameters, tags, notes, and artifacts in folders of this machine. The package mlflow is not
    needed.

    Examples: `runstream import mlflow mlruns`, `runstream import mlflow sqlite:///mlflow.db --dry-run`,
    `runstream import mlflow postgresql://user:password@host/mlflow --project vision`
    """
    from runstream.importing.mlflow.source import find_runs  # noqa: PLC0415

    run_import(
        find_runs(stores),
        Choices(
            project=project,
            entity=entity,
            root=root,
            offline=offline,
            dry_run=dry_run,
            as_json=as_json,
            verbose=verbose,
        ),
    )


def neptune(
    places: Places,
    *,
    files: Annotated[
        Path | None, typer.Option("--files", help="The folder of files. Default: `files` beside the folder of data.")
    ] = None,
    project: Project = None,
    entity: Entity = None,
    root: Root = Path(),
    offline: Offline = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Import runs of Neptune that neptune-exporter wrote to disk: its folder of Parquet files.

    Imports series, parameters, tags, console, system metrics and files; needs `pip install 'runstream[parquet]'`.

    Examples: `runstream import neptune exports/data`, `runstream import neptune exports/data --files /mnt/files`
    """
    from runstream.importing.neptune.source import find_runs  # noqa: PLC0415

    run_import(
        find_runs(places, files),
        Choices(
            project=project,
            entity=entity,
            root=root,
            offline=offline,
            dry_run=dry_run,
            as_json=as_json,
            verbose=verbose,
        ),
    )


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
