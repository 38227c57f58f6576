"""Runs what a command does with the servers of the stack that the client uses."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from runstream_deploy.exceptions import StackError

if TYPE_CHECKING:
    from runstream_consumers.archiver.settings import ArchiverSettings

#: Does something with the settings of the stack, and returns the exit status.
Work: TypeAlias = "Callable[[ArchiverSettings], Coroutine[Any, Any, int]]"

_MISSING = "The package {} is not installed; run: pip install 'runstream[server]'"
#: The exit status of a command interrupted by Ctrl-C, as in a shell.
_INTERRUPTED = 130


def run_work(work: Work) -> None:
    """Do some work and exit with its status; print an expected error as a message."""
    try:
        code = asyncio.run(_with_settings(work))
    except StackError as error:
        print(f"runstream: {error}", file=sys.stderr)  # noqa: T201 - the command's output
        code = 1
    except ModuleNotFoundError as error:
        print(f"runstream: {_MISSING.format(error.name)}", file=sys.stderr)  # noqa: T201
        code = 2
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise typer.Exit(code)


async def _with_settings(work: Work) -> int:
    # Not at the top: these need packages of the server, and the composition of a stack imports its servers.
    from runstream_consumers.archiver.settings import ArchiverSettings  # noqa: PLC0415
    from runstream_consumers.object_store.store import StoreUnavailable  # noqa: PLC0415
    from runstream_consumers.runtime.exceptions import RuntimeFault  # noqa: PLC0415
    from runstream_consumers.runtime.faults import is_infrastructure_error  # noqa: PLC0415
    from runstream_consumers.settings import SettingsError  # noqa: PLC0415
    from runstream_deploy.stack.consumer_settings import consumer_variables  # noqa: PLC0415

    os.environ.update(consumer_variables(os.environ))
    try:
        return await work(ArchiverSettings.from_environment())
    except (SettingsError, RuntimeFault, StoreUnavailable) as error:
        raise StackError(str(error)) from error
    except Exception as error:
        if not is_infrastructure_error(error):
            raise
        raise StackError(f"A server does not answer: {error!r}") from error
