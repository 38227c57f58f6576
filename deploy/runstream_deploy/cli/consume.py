"""``runstream consume`` and ``runstream-consumer``: run a consumer on the stack that the client uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from runstream_deploy.exceptions import StackError

_MISSING = "The package {} is not installed; run: pip install 'runstream[server]'"


Target = Annotated[str, typer.Argument(help="A Python file that defines a consumer, or the name of an installed one.")]
Start = Annotated[
    str, typer.Option("--from", help="Where a new consumer begins: start, now, or a time (2026-11-28T12:00:00Z).")
]


def consume(
    target: Target,
    *,
    start: Start = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would do; store and send nothing.")] = False,
    redrive: Annotated[bool, typer.Option("--redrive", help="Apply its quarantined messages again.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Drop its tables, and read the topics again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a rebuild.")] = False,
) -> None:
    """Run a consumer until Ctrl-C; its settings are those of the local stack, or of RUNSTREAM_URL."""
    flags = {"--dry-run": dry_run, "--redrive": redrive, "--rebuild": rebuild, "--yes": yes}
    chosen = [name for name, is_set in flags.items() if is_set]
    raise typer.Exit(main([target, *(["--from", start] if start else []), *chosen]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``runstream-consumer``; return its exit status: 2 if settings are missing or invalid."""
    try:
        from runstream_consumers.runtime import __main__ as runtime  # noqa: PLC0415 - needs packages of the server

        given = runtime.parse(arguments)
        # Not at the top either: the composition of a stack imports its servers.
        from runstream_deploy.stack.consumer_settings import consumer_variables  # noqa: PLC0415

        os.environ.update(consumer_variables(os.environ))
    except StackError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        return _fail(_MISSING.format(error.name))
    return runtime.run(given)


def _fail(message: str) -> int:
    print(f"runstream: {message}", file=sys.stderr)  # noqa: T201 - the command's output
    return 2
