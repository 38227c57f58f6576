"""The application: registers the commands, of which it has the small ones, and prints errors as one line."""

from __future__ import annotations

import gc
import os
import platform
import sys
from importlib.metadata import entry_points, version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from runstream.cli import run_script, shippers
from runstream.cli.artifacts import cache, commands
from runstream.cli.console import output, print_error
from runstream.cli.find import RunPath, find_run
from runstream.cli.logs import logs
from runstream.cli.runs import runs
from runstream.cli.show import show
from runstream.cli.stored.files import files
from runstream.cli.tail import tail
from runstream.cli.transfers import importing
from runstream.cli.transfers.exporting import export
from runstream.descriptors import occupy_standard_descriptors
from runstream.exceptions import Error
from runstream.public_api.api import Api

_HELP = """Track machine-learning runs as events on Apache Kafka.

Finds the local stack of the same user. Set RUNSTREAM_URL and RUNSTREAM_API_KEY to use another server."""

#: The exit status of a command interrupted by Ctrl-C, as in a shell.
_INTERRUPTED = 130


def create_app() -> typer.Typer:
    """Return the application with our commands and those of the entry-point group ``runstream.commands``."""
    app = typer.Typer(
        name="runstream",
        help=_HELP,
        no_args_is_help=True,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (runs, show, logs, files, stop):
        app.command()(command)
    app.callback()(_options)
    app.command()(tail)
    run_script.register(app)
    shippers.register(app)
    importing.register(app)
    app.command()(export)
    commands.register(app)
    cache.register(app)
    app.command()(sync)
    app.command("version")(show_version)
    for entry in sorted(entry_points(group="runstream.commands"), key=lambda entry: entry.name):
        try:
            entry.load()(app)
        except ImportError as error:
            # `pip install runstream` on a training node does not install the packages of the servers.
            print_error(f"Commands {entry.name!r} are unavailable ({error}): pip install 'runstream[server,local]'")
    return app


def _options(
    *,
    shows_version: Annotated[
        bool, typer.Option("--version", help="Print the versions of Runstream and Python.", is_eager=True)
    ] = False,
) -> None:
    if shows_version:
        typer.echo(f"runstream {version('runstream')} (Python {platform.python_version()})")
        raise typer.Exit


def stop(run: RunPath) -> None:
    """Request that a run stops: run.should_stop becomes True, or with raise_on_stop the process is interrupted."""
    found = find_run(Api(), run)
    found.stop()
    output().print(f"Requested {'/'.join(found.path)} to stop")


def sync(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, or folders with a `runstream` folder. Default: the current folder."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The server. Default: RUNSTREAM_URL, else a settings file, else the server in the folder."),
    ] = None,
) -> None:
    """Deliver recorded runs that were offline or whose shipper exited."""
    # Not at the top: the shipper's libraries are large, and other commands do not need them.
    from runstream.shipper.sync import sync as deliver  # noqa: PLC0415

    gc.freeze()  # Python would search all modules for cycles when a batch of records makes many objects
    raise typer.Exit(deliver([str(folder) for folder in folders or []], console=Console(stderr=True), url=url))


def show_version() -> None:
    """Print the version."""
    typer.echo(version("runstream"))


def main() -> int:
    """Run the command line. An expected error is one line on standard error and exit status 1."""
    occupy_standard_descriptors()
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal may lack characters of a name; it gets a question mark instead.
        sys.stdout.reconfigure(errors="replace")
    try:
        create_app()(standalone_mode=True)
    except Error as error:
        print_error(str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output exited. Python flushes at exit, which must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
