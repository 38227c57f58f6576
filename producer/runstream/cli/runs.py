"""The command ``runs``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import humanize
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runstream.cli.run_view import path_text, state_text, summary_values
from runstream.public_api.api import Api
from runstream.terminal.formatting import format_age, format_value
from runstream.terminal.terminal import printable
from runstream_schemas import values

#: From this many columns on, a terminal has room for the summary.
_WIDE = 100
#: How many values of the summary are shown.
_SUMMARY_VALUES = 4


def runs(
    project: Annotated[
        str | None, typer.Argument(metavar="[PROJECT]", help="[ENTITY/]PROJECT. Default: all projects.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs, newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - typer's interface
) -> None:
    """List runs with state, name, age, steps, and the first values of the summary."""
    documents = [run.load() for run in islice(Api().runs(project, per_page=min(limit, 500)), limit)]
    if as_json:
        typer.echo(values.dump(documents))
    elif documents:
        console = Console()
        console.print(runs_table(documents, datetime.now(tz=UTC), console.width))
    else:
        where = f" in {project}" if project else ""
        Console(stderr=True).print(f"No runs{where} yet: call runstream.init() in a script to start one", markup=False)


def runs_table(documents: Sequence[dict[str, Any]], now: datetime, width: int) -> Table:
    """Return a table of runs for a terminal with ``width`` columns. The summary gets the remaining space."""
    is_wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", expand=is_wide)
    table.add_column("state", no_wrap=True)
    table.add_column("run", no_wrap=True, max_width=28 if is_wide else 20)
    table.add_column("path", no_wrap=True)
    table.add_column("created", no_wrap=True)
    table.add_column("steps", no_wrap=True, justify="right")
    if is_wide:
        table.add_column("summary", no_wrap=True, ratio=1)
    for document in documents:
        summary = [f"{printable(key)} {format_value(value)}" for key, value in summary_values(document).items()]
        table.add_row(
            state_text(document),
            Text(printable(document["name"])),
            Text(path_text(document)),
            format_age(document["created_at"], now),
            "-" if document["last_step"] is None else humanize.intcomma(document["last_step"] + 1),
            *([Text("  ".join(summary[:_SUMMARY_VALUES]))] if is_wide else []),
        )
    return table
