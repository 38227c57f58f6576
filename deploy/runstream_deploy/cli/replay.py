"""``runstream replay`` and ``runstream digest``: build the tables of a consumer again, and compare them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Self

import typer

from runstream_deploy.cli.server_work import run_work

if TYPE_CHECKING:
    from runstream_consumers.replays.digest import SinkDigest
    from runstream_consumers.runtime.plugin import Consumer
    from runstream_consumers.settings import ServerSettings

Target = Annotated[str, typer.Argument(help="The name of an installed consumer, or the file of another one.")]


def replay(
    target: Target,
    *,
    start: Annotated[str, typer.Option("--from", help="Where to begin: start, or a time.")] = "",
    swap: Annotated[bool, typer.Option("--swap/--no-swap", help="Whether the new tables replace the old ones.")] = True,
    restart: Annotated[bool, typer.Option("--restart", help="Do not resume an unfinished replay.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Delete an unfinished replay, and exit.")] = False,
) -> None:
    """Build a consumer's tables again from the topic archive and the topics, and swap them in one transaction.

    The consumer and the readers of its tables go on meanwhile. A replay that is interrupted is resumed by the next one.
    """

    async def work(settings: ServerSettings) -> int:
        from runstream_consumers.replays.building import discard as discard_replay  # noqa: PLC0415 - server packages
        from runstream_consumers.replays.building import replay_name  # noqa: PLC0415
        from runstream_consumers.replays.replay import Replay  # noqa: PLC0415
        from runstream_consumers.runtime.postgres.connection import connected  # noqa: PLC0415

        consumer = _find(target)
        if discard:
            async with connected(settings.postgres, application="replay") as connection:
                await discard_replay(connection, consumer.name)
            print(f"The unfinished replay of {consumer.name} is deleted.")  # noqa: T201 - the command's output
            return 0
        with _Bar(consumer.name) as bar:
            made = Replay(consumer=consumer, settings=settings, report=bar.show)
            count = await made.run(start=start or None, restart=restart, swaps=swap)
        name = replay_name(consumer.name)
        done = "Its tables were swapped." if swap else f"Compare them: runstream digest {target} --sink {name}"
        print(f"{consumer.name}: replayed {count:,} messages. {done}")  # noqa: T201
        return 0

    run_work(work)


def digest(
    target: Target,
    *,
    sink: Annotated[str, typer.Option("--sink", help="Compare with this sink, such as that of a replay.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a digest of the content of a consumer's tables, which does not depend on how they were written.

    With --sink, both are printed; the exit status is 1 if they differ.
    """

    async def work(settings: ServerSettings) -> int:
        from runstream_consumers.replays.digest import digest as digest_of  # noqa: PLC0415 - server packages

        consumer = _find(target)
        names = [consumer.name, *([sink] if sink else [])]
        found = {name: await digest_of(settings, consumer.name, name) for name in names}
        if as_json:
            print(json.dumps({name: _document(one) for name, one in found.items()}, indent=2))  # noqa: T201
        else:
            _print(found)
        return 0 if len({one.hash for one in found.values()}) == 1 else 1

    run_work(work)


class _Bar:
    """A progress bar with the remaining time, on a terminal."""

    def __init__(self, name: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - every command loads this module
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(f"Replaying {name}", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, applied: int, total: int) -> None:
        """Show how many messages are applied, of those that the consumer has applied."""
        self._progress.update(self._task, completed=applied, total=total)


def _find(target: str) -> Consumer:
    from runstream_consumers.runtime.registry import find_consumer, load_settings  # noqa: PLC0415 - server packages

    consumer = find_consumer(target)
    load_settings(consumer)
    return consumer


def _document(found: SinkDigest) -> dict[str, object]:
    positions = {f"{one.topic}[{one.partition}]": offset for one, offset in found.positions.items()}
    tables = {name: {"rows": table.rows, "hash": table.hash} for name, table in found.tables.items()}
    return {"hash": found.hash, "positions": positions, "tables": tables}


def _print(found: dict[str, SinkDigest]) -> None:
    for name, one in found.items():
        print(f"{one.hash}  {name}")  # noqa: T201 - the command's output
        for table, of_table in sorted(one.tables.items()):
            print(f"  {of_table.hash}  {of_table.rows:>12,} rows  {table}")  # noqa: T201
    if len({tuple(sorted(one.positions.items())) for one in found.values()}) > 1:
        print("The sinks are at different offsets: the digests cannot be equal.")  # noqa: T201
