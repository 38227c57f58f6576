"""The command line: ``runstream``."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from runstream.cli import reading, running
from runstream.exceptions import Error

_HELP = """Track machine-learning runs as events on Apache Kafka.

A stack on this machine is found by itself; RUNSTREAM_URL and RUNSTREAM_API_KEY name another one."""


def create_app() -> typer.Typer:
    """Return the application with every command: ours, and those of the entry-point group ``runstream.commands``."""
    app = typer.Typer(
        name="runstream",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    reading.register(app)
    running.register(app)
    app.command("sync")(sync)
    app.command("version")(show_version)
    for entry in sorted(entry_points(group="runstream.commands"), key=lambda entry: entry.name):
        try:
            entry.load()(app)
        except ImportError as error:
            # `pip install runstream` on a training node leaves the servers' packages out.
            _complain(f"the commands {entry.name!r} are not there ({error}): pip install 'runstream[server,local]'")
    return app


def sync(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, or folders that hold a `runstream` folder. Default: the current folder."),
    ] = None,
) -> None:
    """Deliver what runs recorded while they were offline or their shipper was gone."""
    # The shipper's libraries are the client's heaviest; other commands do without.
    from runstream.shipper.sync import sync as deliver  # noqa: PLC0415

    raise typer.Exit(deliver([str(folder) for folder in folders or []], console=Console(stderr=True)))


def show_version() -> None:
    """Print the version."""
    typer.echo(version("runstream"))


def main() -> int:
    """Run the command line; an expected error is one line on standard error and exit status 1."""
    try:
        create_app()(standalone_mode=True)
    except Error as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing may be written when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _complain(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"runstream: {message}", style="red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
