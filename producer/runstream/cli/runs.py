"""The command ``runs``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from runstream.cli.columns import TABLE, Column, csv_columns, csv_text, parse_columns
from runstream.cli.console import UNLIMITED, output, print_note, write_lines
from runstream.cli.find import is_project, runs_with_id, unknown_project
from runstream.cli.times import parse_point
from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.runs import Runs
from runstream_schemas import values

#: From this many columns on, a terminal has room for the summary.
_WIDE = 100
_PAGE = 500

Texts = list[str] | None


def runs(
    project: Annotated[
        str | None, typer.Argument(metavar="[PROJECT]", help="[ENTITY/]PROJECT, or a run's id. Default: all projects.")
    ] = None,
    *,
    state: Annotated[
        Texts, typer.Option("--state", "-s", help="Runs in this state, such as running or failed. Repeatable.")
    ] = None,
    tag: Annotated[Texts, typer.Option("--tag", "-t", help="Runs with this tag; repeat it to require several.")] = None,
    group: Annotated[str | None, typer.Option("--group", "-g", help="Runs of this group.")] = None,
    job_type: Annotated[str | None, typer.Option("--job-type", help="Runs of this job type.")] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Runs that this user started.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Runs with this text in their name, or a pattern such as 'resnet*'.")
    ] = None,
    config: Annotated[
        Texts,
        typer.Option("--config", "-c", metavar="KEY=VALUE", help="Runs with this value, such as lr=0.1."),
    ] = None,
    filters: Annotated[
        str | None,
        typer.Option("--filter", "-f", metavar="JSON", help='A filter such as \'{"summary.loss": {"$lt": 0.1}}\'.'),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Runs that started since: 30min, 2h, 3d, 2026-01-31.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option("--sort", help="created, name, state, config.KEY, summary.KEY, heartbeat_at; descending with -."),
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Columns, such as name,state,config.lr,summary.loss.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, without --columns with all values.")] = False,
) -> None:
    """List runs, newest first, with state, name, age, steps, and the first values of the summary.

    A terminal shows what fits its width; a file or a pipe gets every value in full.

    Example: runstream runs digits --state finished --config lr=0.1 --sort=-summary.accuracy
    """
    if as_json and (as_csv or columns):
        raise UsageError("Invalid options: --json prints whole runs, without --csv and --columns")
    now = datetime.now(tz=UTC)
    chosen = None if columns is None else parse_columns(columns)
    conditions = {
        "state": state,
        "tag": tag,
        "group": group,
        "job_type": job_type,
        "user": user,
        "name": name,
        "config": config,
        "filters": filters,
        "since": None if since is None else max(0.0, parse_point(since, now).timestamp()),
        "order": order,
    }
    api = Api()
    selected = api.select(project, min(limit + 1, _PAGE), **conditions)
    documents = [run.load() for run in islice(selected, limit + 1)]
    if not documents and project is not None and not is_project(api, project):
        documents = [run.load() for run in runs_with_id(api, project)]
        if not documents:
            raise unknown_project(api, project)
    _print(documents[:limit], chosen, now, as_json=as_json, as_csv=as_csv)
    _explain(len(documents), selected, project, limit, filtered=any(conditions.values()))


def _print(
    documents: Sequence[dict[str, Any]], columns: list[Column] | None, now: datetime, *, as_json: bool, as_csv: bool
) -> None:
    if as_json:
        write_lines(values.dump(list(documents)) + "\n")
    elif as_csv:
        write_lines(csv_text(columns or csv_columns(documents), documents, now))
    elif documents:
        console = output()
        console.print(runs_table(documents, columns, now, console.width))


def _explain(found: int, selected: Runs, project: str | None, limit: int, *, filtered: bool) -> None:
    """Print on standard error why a list may have fewer runs than expected."""
    if found > limit:
        print_note(f"Only {limit} runs are shown: use --limit to see more")
    if selected.truncated:
        print_note("Some runs have too many keys to be found by all of them: this list may lack such runs")
    if not found:
        where = f" in {project}" if project else ""
        print_note(
            f"No runs{where} fulfill these conditions"
            if filtered
            else f"No runs{where} yet: call runstream.init() in a script to start one"
        )


def runs_table(
    documents: Sequence[dict[str, Any]], columns: Sequence[Column] | None, now: datetime, width: int
) -> Table:
    """Return a table of runs for a terminal with ``width`` columns. The summary gets the remaining space."""
    is_wide = width >= _WIDE
    names = [name for name in TABLE if is_wide or name != "summary"]
    shown = columns or parse_columns(",".join(names))
    # A terminal gives the summary what the other columns leave.
    is_fitted = columns is None and width < UNLIMITED
    table = Table(box=None, pad_edge=False, header_style="bold", expand=is_fitted and is_wide)
    for column in shown:
        table.add_column(
            column.name,
            no_wrap=True,
            justify="right" if column.is_number else "left",
            max_width=(28 if is_wide else 20) if is_fitted and column.name == "name" else None,
            ratio=1 if is_fitted and column.name == "summary" else None,
        )
    for document in documents:
        cells = (column.shown(document, now) for column in shown)
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    return table
