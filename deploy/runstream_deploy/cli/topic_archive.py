"""``runstream archive`` and ``runstream trim``: copy the topics to the object store, and delete what was copied."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runstream_deploy.exceptions import StackError

if TYPE_CHECKING:
    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_consumers.archiver.trimming import PartitionTrim

_MISSING = "The package {} is not installed; run: pip install 'runstream[server]'"
_DRY_RUN = typer.Option("--dry-run", help="Print what would be deleted; delete nothing.")
_YES = typer.Option("--yes", "-y", help="Do not ask.")
_INTERRUPTED = 130


def archive(
    *, once: Annotated[bool, typer.Option("--once", help="Archive what the topics have now, and exit.")] = False
) -> None:
    """Copy the messages of all topics to the object store until Ctrl-C, for replays after `runstream trim`.

    The local stack does so itself if RUNSTREAM_TOPIC_ARCHIVE is set when it starts.
    """

    async def work(settings: ArchiverSettings) -> int:
        from runstream_consumers.archiver.process import archive, archive_once  # noqa: PLC0415 - server packages
        from runstream_consumers.runtime.stopping import stop_on_signals  # noqa: PLC0415

        if once:
            print(f"Archived {await archive_once(settings):,} messages.")  # noqa: T201 - the command's output
        else:
            await archive(settings, stop=stop_on_signals())
        return 0

    _run(work)


def trim(
    *,
    keep_days: Annotated[
        float, typer.Option("--keep-days", min=0, help="Keep messages of so many days in the topics.")
    ] = 7.0,
    dry_run: Annotated[bool, _DRY_RUN] = False,
    yes: Annotated[bool, _YES] = False,
) -> None:
    """Delete messages from the topics that the archive has, after reading the archived copies back.

    Consumers and replays read them from the archive. What is not archived is never deleted.
    """

    async def work(settings: ArchiverSettings) -> int:
        from runstream_consumers.archiver.process import writable  # noqa: PLC0415 - needs packages of the server
        from runstream_consumers.archiver.trimming import plan_trim  # noqa: PLC0415
        from runstream_consumers.archiver.trimming import trim as delete  # noqa: PLC0415

        before = int((time.time() - timedelta(days=keep_days).total_seconds()) * 1000)
        async with writable(settings) as chunks:
            plan = await plan_trim(settings, chunks, before=before)
            _report(plan, "Would delete")
            if dry_run or not any(one.messages for one in plan):
                return 0
            if not (yes or (sys.stdin.isatty() and typer.confirm("Continue?"))):
                print("Nothing was deleted: add --yes to confirm.")  # noqa: T201 - the command's output
                return 1
            done = await delete(settings, chunks, plan)
        _report(done, "Deleted")
        return 1 if any(one.problem for one in done) else 0

    _run(work)


def _report(trims: Sequence[PartitionTrim], verb: str) -> None:
    for one in trims:
        name = f"{one.partition.topic}[{one.partition.partition}]"
        if one.problem:
            print(f"{name}: nothing was deleted. {one.problem}")  # noqa: T201 - the command's output
        elif one.messages:
            offsets = f"offsets {one.first} to {one.until - 1}"
            print(f"{name}: {offsets} of those archived up to {one.archived - 1}")  # noqa: T201
    count = sum(one.messages for one in trims)
    print(f"{verb} {count:,} messages of {sum(1 for one in trims if one.messages)} partitions.")  # noqa: T201


def _run(work: Callable[[ArchiverSettings], Coroutine[Any, Any, int]]) -> None:
    """Do some work with the settings of the stack; print an expected error as a message."""
    try:
        code = asyncio.run(_with_settings(work))
    except StackError as error:
        print(f"runstream: {error}", file=sys.stderr)  # noqa: T201
        code = 1
    except ModuleNotFoundError as error:
        print(f"runstream: {_MISSING.format(error.name)}", file=sys.stderr)  # noqa: T201
        code = 2
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise typer.Exit(code)


async def _with_settings(work: Callable[[ArchiverSettings], Coroutine[Any, Any, int]]) -> int:
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
