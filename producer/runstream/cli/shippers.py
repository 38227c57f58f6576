"""The commands ``shippers`` and ``shippers stop``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from runstream.cli.console import output, print_note
from runstream.exceptions import UsageError
from runstream.run_folder.delivery_processes import DeliveryProcess, chosen, delivery_processes, stop_delivery
from runstream.terminal.formatting import format_duration
from runstream.terminal.terminal import printable
from runstream_schemas import values

#: Seconds that processes may take to exit: a shipper saves what is delivered first.
_STOP_S = 15.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    shippers = typer.Typer(
        name="shippers", help="List or stop the processes that deliver runs from this machine.", add_completion=False
    )
    shippers.callback(invoke_without_command=True)(show)
    shippers.command("stop")(stop)
    app.add_typer(shippers)


def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - typer's interface
) -> None:
    """List the shippers and guardians of this user on this machine, with what they deliver, and why not."""
    if context.invoked_subcommand is not None:
        return
    found = delivery_processes()
    if as_json:
        typer.echo(values.dump([asdict(process) | {"folder": str(process.folder)} for process in found]))
    elif found:
        output().print(processes_table(found))
    else:
        print_note("No shipper is running")


def stop(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN|PID|FOLDER]...", help="Runs by id, process id or folder.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Stop all of them.")] = False,  # noqa: FBT002 - typer's interface
) -> None:
    """Stop the shipper and the guardian of runs. Nothing is lost: `runstream sync FOLDER` delivers the rest.

    A run that is still training goes on recording.
    """
    if bool(names) == every:
        raise UsageError("Invalid arguments: expected runs, process ids or folders, or --all")
    running = delivery_processes()
    try:
        meant = running if every else chosen(running, names or [])
    except LookupError as error:
        raise UsageError(f"No shipper of {error.args[0]!r} is running; `runstream shippers` lists them") from None
    left = stop_delivery(meant, _STOP_S)
    for folder in sorted({process.folder for process in meant} - {process.folder for process in left}):
        typer.echo(f"Stopped; to deliver the rest: runstream sync {folder}")
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise UsageError(f"Still running after {_STOP_S:g} s: process {pids}; end it with `kill -9`, nothing is lost")


def processes_table(processes: Sequence[DeliveryProcess]) -> Table:
    """Return a table of processes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pid", "process", "run", "state", "pending", "age", "server", "folder", "problem"):
        table.add_column(heading, no_wrap=True)
    for process in processes:
        table.add_row(
            str(process.pid),
            process.kind,
            Text(printable(process.run)),
            process.state,
            "-" if process.pending is None else str(process.pending),
            format_duration(process.age_s),
            Text(printable(process.server or "the local stack")),
            Text(printable(str(process.folder))),
            Text(printable(process.problem)),
        )
    return table
