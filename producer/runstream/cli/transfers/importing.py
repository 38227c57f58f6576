"""The commands ``import wandb``, ``tensorboard``, ``mlflow`` and ``neptune``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from runstream.importing.records import Found

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

    _run(
        find_runs(places),
        project=project,
        entity=entity,
        root=root,
        offline=offline,
        dry_run=dry_run,
        as_json=as_json,
        verbose=verbose,
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

    _run(
        find_runs(places),
        project=project,
        entity=entity,
        root=root,
        offline=offline,
        dry_run=dry_run,
        as_json=as_json,
        verbose=verbose,
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

    _run(
        find_runs(stores),
        project=project,
        entity=entity,
        root=root,
        offline=offline,
        dry_run=dry_run,
        as_json=as_json,
        verbose=verbose,
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

    _run(
        find_runs(places, files),
        project=project,
        entity=entity,
        root=root,
        offline=offline,
        dry_run=dry_run,
        as_json=as_json,
        verbose=verbose,
    )


def _run(found: Iterable[Found], **choices: Any) -> None:
    # Other commands do without the parts of an import.
    from runstream.cli.transfers.import_run import Choices, run_import  # noqa: PLC0415

    run_import(found, Choices(**choices))
