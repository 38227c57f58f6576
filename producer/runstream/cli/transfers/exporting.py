"""The command ``export``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runstream.cli.console import print_note
from runstream.cli.find import find_run, is_project
from runstream.exporting.export import Exported, export_project, export_run
from runstream.exporting.formats import Format, check_installed
from runstream.public_api.api import Api
from runstream.public_api.exceptions import NotFoundError
from runstream.public_api.run import Run

_PAGE = 500


def export(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|PROJECT", help="[[ENTITY/]PROJECT/]ID or [ENTITY/]PROJECT.", show_default=False),
    ],
    *,
    chosen: Annotated[Format, typer.Option("--format", "-f", help="The format of the files.")] = Format.PARQUET,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file, or for a project the folder. Default: ID.parquet, PROJECT."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace existing files.")] = False,
) -> None:
    """Write the rows of a run to a file of Parquet or CSV; of a project, those of each run, and a table of the runs.

    Nested keys are columns such as a.b; media and lists are JSON. A run that has not ended is exported as it is now,
    with a note. Files appear when they are complete. A repeated export of a project goes on where the last one ended.

    Examples: `runstream export digits/1jx1ud12`, `runstream export digits --format csv --output exported`
    """
    check_installed(chosen)
    api = Api()
    if (run := _run(api, source)) is not None:
        path = output or Path(f"{run.id}.{chosen.value}")
        with Console(stderr=True).status(f"Exporting {run.id}") as status:
            found = export_run(
                run, path, chosen, replace=replace, progress=lambda rows: status.update(f"{run.id}: {rows:,} rows")
            )
        typer.echo(f"Exported {found.rows:,} rows to {path}")
        if found.note:
            print_note(found.note)
        return
    folder = output or Path(source.rstrip("/").rpartition("/")[2])
    _print(list(_project(api, source, folder, chosen, replace=replace)), folder)


def _run(api: Api, source: str) -> Run | None:
    """Return the run that an argument names, or None if it names a project; raises NotFoundError for neither."""
    try:
        return find_run(api, source)
    except NotFoundError:
        if source.strip("/").count("/") > 1 or not is_project(api, source):
            raise
        return None


def _project(api: Api, source: str, folder: Path, chosen: Format, *, replace: bool) -> Iterator[Exported]:
    runs = api.runs(source, per_page=_PAGE)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Exporting", total=None)
        for one in export_project(runs, folder, chosen, replace=replace):
            progress.update(task, advance=1, description=one.run)
            yield one


def _print(found: list[Exported], folder: Path) -> None:
    written = [one for one in found if one.path is not None]
    problems = [one for one in found if one.problem]
    kept = len(found) - len(written) - len(problems)
    rows = sum(one.rows for one in written)
    more = f"; {kept:,} runs were exported before" if kept else ""
    typer.echo(f"Exported {len(written):,} runs with {rows:,} rows to {folder}{more}")
    for one in found:
        if one.note:
            print_note(one.note)
    for one in problems:
        print_note(f"{one.run} is not exported: {one.problem}")
    if problems:
        raise typer.Exit(1)
