"""``runstream gc``: delete the objects of the stack that nothing refers to."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from runstream_deploy.exceptions import StackError

_MISSING = "The package {} is not installed; run: pip install 'runstream[server]'"


def gc(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be deleted; delete nothing.")] = False
) -> None:
    """Delete the bytes in the object store that no file of a run and no artifact refers to any more.

    The API does so once a day. Bytes that a client wanted within the grace period, a week by default, are kept.
    """
    try:
        text = asyncio.run(_collect(dry_run=dry_run))
    except StackError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        _fail(_MISSING.format(error.name))
    print(text)  # noqa: T201 - the command's output


async def _collect(*, dry_run: bool) -> str:
    # Not at the top: these need packages of the server, and the composition of a stack imports its servers.
    import humanize  # noqa: PLC0415

    from runstream_consumers.api.collector import EXPECTED, collected  # noqa: PLC0415
    from runstream_consumers.settings import ServerSettings, SettingsError  # noqa: PLC0415
    from runstream_deploy.stack.consumer_settings import consumer_variables  # noqa: PLC0415

    os.environ.update(consumer_variables(os.environ))
    try:
        found = await collected(ServerSettings.from_environment(), dry_run=dry_run)
    except SettingsError as error:
        raise StackError(str(error)) from error
    except EXPECTED as error:
        raise StackError(f"No objects are collected: {error}") from error
    verb = "Would delete" if dry_run else "Deleted"
    text = (
        f"{verb} {found.objects} objects ({humanize.naturalsize(found.bytes)}) and {found.uploads} unfinished uploads."
    )
    return text + (f" {found.adopted} unknown objects are kept for the grace period." if found.adopted else "")


def _fail(message: str) -> None:
    print(f"runstream: {message}", file=sys.stderr)  # noqa: T201 - the command's output
    raise typer.Exit(1)
