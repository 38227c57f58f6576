"""``runstream up | down | status``: the commands of the local stack.

This module is loaded by every ``runstream`` command, also where the servers' packages are not installed; so what a
command needs is imported when it is called.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runstream_deploy.exceptions import StackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from rich.console import Console

    from runstream_deploy.stack.data_folder import DataFolder

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the stack. Default: RUNSTREAM_DATA_DIR, else the user's data folder."),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Leave the stack running and return.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: What a shell reports for a command ended by Ctrl-C.
_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the commands to the ``runstream`` command line."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)


def up(*, data_dir: DataDir = None, detach: Detach = False) -> None:
    """Start Kafka, Postgres, an S3 server, the consumers and the API on this machine; Ctrl-C stops them.

    What runs elsewhere is used instead where RUNSTREAM_KAFKA, RUNSTREAM_POSTGRES or RUNSTREAM_S3_ENDPOINT name it.
    """
    _run(data_dir, lambda commands, folder, out: (commands.start_detached if detach else commands.start)(folder, out))


def down(*, data_dir: DataDir = None) -> None:
    """Stop the stack, wherever it was started; its data stays."""
    _run(data_dir, lambda commands, folder, out: commands.stop(folder, out))


def status(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show each service: state, process, address, version, memory, lag, restarts. Exit status 0 if all is well."""
    _run(data_dir, lambda commands, folder, _: commands.show(folder, as_json=as_json))


def _run(data_dir: Path | None, command: Callable[[ModuleType, DataFolder, Console], int]) -> None:
    """Run a command; an expected error is told in words, without a traceback."""
    from rich.console import Console  # noqa: PLC0415 - see the module's docstring

    console = Console(stderr=True)
    # The Kafka client logs each refused connection as an error; while a broker starts that is no news.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        from runstream_deploy import commands  # noqa: PLC0415
        from runstream_deploy.stack.data_folder import DataFolder, default_data_folder  # noqa: PLC0415

        code = command(commands, DataFolder(data_dir or default_data_folder()), console)
    except StackError as error:
        _complain(console, str(error))
        code = 1
    except ModuleNotFoundError as error:
        _complain(console, f"{error.name} is not installed; run: pip install 'runstream[server,local]'")
        code = 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise typer.Exit(code)


def _complain(console: Console, message: str) -> None:
    console.print("runstream:", style="red", end=" ")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
