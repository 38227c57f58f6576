"""``runstream archive``, ``trim`` and ``purge``: copy topics to the object store, and delete from both."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from runstream_deploy.cli.server_work import run_work

if TYPE_CHECKING:
    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_consumers.archiver.trimming import PartitionTrim

_DRY_RUN = typer.Option("--dry-run", help="Print what would be deleted; delete nothing.")
_YES = typer.Option("--yes", "-y", help="Do not ask.")


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

    run_work(work)


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

    run_work(work)


def purge(*, dry_run: Annotated[bool, _DRY_RUN] = False) -> None:
    """Remove what deleted runs have left: their messages in the topic archive, and files that nothing refers to.

    Messages that are still in the topics are deleted there by `runstream trim`.
    """

    async def work(settings: ArchiverSettings) -> int:
        from humanize import naturalsize  # noqa: PLC0415 - every command loads this module

        from runstream_consumers.api.collector import EXPECTED, collected  # noqa: PLC0415 - server packages
        from runstream_consumers.archiver.process import writable  # noqa: PLC0415
        from runstream_consumers.archiver.purging import purge as purge_archive  # noqa: PLC0415

        async with writable(settings) as chunks:
            found = await purge_archive(settings, chunks, dry_run=dry_run)
        verb = "Would remove" if dry_run else "Removed"
        size = "" if dry_run else f" ({naturalsize(found.bytes)})"
        print(  # noqa: T201 - the command's output
            f"{verb} {found.messages:,} messages of {found.runs:,} deleted runs from {found.objects:,} objects of the "
            f"topic archive{size}."
        )
        try:
            objects = await collected(settings, dry_run=dry_run)
        except EXPECTED as error:
            print(f"No files are removed: {error}")  # noqa: T201
            return 1
        print(f"{verb} {objects.objects:,} files ({naturalsize(objects.bytes)}) that nothing refers to.")  # noqa: T201
        return 0

    run_work(work)


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
