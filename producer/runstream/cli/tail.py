"""The command ``tail``: the raw events of the topics, as lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from runstream.cli.console import write_lines
from runstream.cli.find import find_run
from runstream.cli.times import parse_point
from runstream.exceptions import CommError, UsageError
from runstream.public_api.api import Api
from runstream.server.connection import Connection
from runstream.server.discovery import resolve_server
from runstream.server.endpoints import connect
from runstream.server.messages import NO_SERVER
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from runstream.cli.raw_events import RawSelection

#: Seconds that the server has to answer.
_PATIENCE_S = 10.0

_TOPICS = ", ".join(topic.value for topic in Topic)


def tail(
    *,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", "-t", help=f"{_TOPICS}; repeatable. Default: all.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", "-r", help="Only events of this run, [[ENTITY/]PROJECT/]ID.")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="start|now|TIME", help="2h, 2026-01-31. Default: start; with --follow: now."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more events until Ctrl-C.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="How many events.")] = None,
) -> None:
    """Print the raw events on Kafka as lines of JSON: topic, partition, offset, time, and the decoded event.

    Events of one partition come in their order, those of different partitions as they are read. Nothing is committed.

    Example: runstream tail --topic log --run k3f9a2qz --limit 10 | jq .event.rows
    """
    point = begin or ("now" if follow else "start")
    since = {"start": datetime.fromtimestamp(0, tz=UTC), "now": None}.get(point)
    if point not in {"start", "now"}:
        since = parse_point(point, datetime.now(tz=UTC))
    found = None if run is None else find_run(Api(), run)
    path = None if found is None else RunPath(entity=found.entity, project=found.project, run_id=found.id)
    # Not at the top: the Kafka client is large, and other commands do not need it.
    from runstream.cli.raw_events import RawSelection  # noqa: PLC0415

    selection = RawSelection(topics=_topics(topic), run=path, since=since, follow=follow)
    if (server := resolve_server(os.environ)) is None:
        raise CommError(NO_SERVER)
    connection = connect(server, _PATIENCE_S)
    # The client logs each refused connection as an error; we print one.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_print(connection, selection, limit))


def _topics(names: list[str] | None) -> list[Topic]:
    try:
        return [Topic(name.rpartition(".")[2]) for name in names] if names else list(Topic)
    except ValueError as error:
        raise UsageError(f"Unknown topic: {error}; expected some of {_TOPICS}") from None


async def _print(connection: Connection, selection: RawSelection, limit: int | None) -> None:
    from runstream.cli.raw_events import raw_lines  # noqa: PLC0415

    printed = 0
    async with contextlib.aclosing(raw_lines(connection, selection)) as lines:
        async for line in lines:
            write_lines(line)
            printed += 1
            if printed == limit:
                return
