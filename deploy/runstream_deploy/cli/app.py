"""``runstream up | down | status``: the commands of the local stack.

Every ``runstream`` command loads this module, even where the packages of the servers are not installed, so a command
imports what it needs when it is called.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from runstream.server.folders import stack_folder
from runstream_deploy.cli.consume import consume
from runstream_deploy.cli.gc import gc
from runstream_deploy.cli.replay import digest, replay
from runstream_deploy.cli.topic_archive import archive, purge, trim
from runstream_deploy.exceptions import StackError
from runstream_deploy.stack.data_folder import DataFolder

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Data folder of the stack. Default: RUNSTREAM_DATA_DIR, else the data folder of the user."
    ),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Leave the stack running and return.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: The exit status of a command interrupted by Ctrl-C, as in a shell.
_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the commands to the ``runstream`` command line."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.command("consume")(consume)
    app.command("quarantine")(quarantine)
    app.command("gc")(gc)
    app.command("archive")(archive)
    app.command("trim")(trim)
    app.command("purge")(purge)
    app.command("replay")(replay)
    app.command("digest")(digest)


def up(*, data_dir: DataDir = None, detach: Detach = False) -> None:
    """Start Kafka, Postgres, an S3 server, the consumers and the API on this machine; Ctrl-C stops them.

    RUNSTREAM_KAFKA, RUNSTREAM_POSTGRES and RUNSTREAM_S3_ENDPOINT name external servers to use instead.
    """
    _run(data_dir, lambda commands, folder, out: (commands.start_detached if detach else commands.start)(folder, out))


def down(*, data_dir: DataDir = None) -> None:
    """Stop the stack, wherever it was started; its data is kept."""
    _run(data_dir, lambda commands, folder, out: commands.stop(folder, out))


def status(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show each service: condition, process, address, version, age, memory, lag, restarts. Exit status 0 if healthy."""
    _run(data_dir, lambda commands, folder, _: commands.show(folder, as_json=as_json))


def quarantine(
    consumer: Annotated[str, typer.Argument(help="Name of the consumer. Default: all of them.")] = "",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many messages, newest first.")] = 20,
    data_dir: DataDir = None,
) -> None:
    """List the messages that consumers could not decode or apply: position, size and reason.

    `runstream consume NAME --redrive` applies them again, for example after an update.
    """
    _run(data_dir, lambda commands, folder, _: commands.show_quarantine(folder, consumer, limit))


def _run(data_dir: Path | None, command: Callable[[ModuleType, DataFolder, Console], int]) -> None:
    """Run a command; print an expected error as a message, without a traceback."""
    from rich.console import Console  # noqa: PLC0415 - see the module's docstring

    console = Console(stderr=True)
    # The Kafka client logs each refused connection as an error, which is expected while a broker starts.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        from runstream_deploy.cli import commands  # noqa: PLC0415

        code = command(commands, DataFolder(data_dir or stack_folder(os.environ)), console)
    except StackError as error:
        _print_error(console, str(error))
        code = 1
    except ModuleNotFoundError as error:
        _print_error(console, f"The package {error.name} is not installed; run: pip install 'runstream[server,local]'")
        code = 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise typer.Exit(code)


def _print_error(console: Console, message: str) -> None:
    console.print("runstream:", style="red", end=" ")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
