"""Checks that a consumer stores the same however its events were batched, divided and repeated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from runstream_consumers.runtime.kafka.messages import part, receive
from runstream_consumers.runtime.plugin import Consumer
from runstream_consumers.testing.feed import Feed, encoded, feeding, scratch_database
from runstream_schemas.events import Event, HeartbeatEvent

#: The rows of each table, as texts without the ignored columns, in order.
_Tables = dict[str, list[str]]


async def check_replay(
    make: Callable[[], Consumer], server: str, events: Sequence[Event], *, ignore: Collection[str] = ()
) -> None:
    """Apply events in several ways, and raise AssertionError if the tables of the consumer differ.

    The ways: in one batch; one by one, with a restart after each; each divided into its records, and then repeated
    twice. ``make`` returns a new consumer, each way has a database of its own on ``server`` (a connection URI),
    and columns named in ``ignore`` (such as a time of insertion) are not compared.
    """
    ways = {
        "in one batch": [list(events)],
        "one by one": [[event] for event in events],
        "divided and repeated": [[*single_records(event), event, event] for event in events],
    }
    expected: _Tables | None = None
    for way, batches in ways.items():
        async with scratch_database(server) as database, feeding(make(), database) as feed:
            for batch in batches:
                await feed.apply(*batch)
                await feed.restart()
            found = await _tables(feed, ignore)
        if expected is not None and found != expected:
            raise AssertionError(f"The tables differ if the events are applied {way}:\n{_difference(expected, found)}")
        expected = found


def single_records(event: Event) -> list[Event]:
    """Return an event divided into events of one record each."""
    if isinstance(event, HeartbeatEvent):
        return [event]
    (message,) = encoded([event])
    received = receive(message, 1)
    return [part(received, (seq, seq + 1)).event for seq in range(event.seq, event.seq + event.count)]


async def _tables(feed: Feed, ignore: Iterable[str]) -> _Tables:
    """Return the consumer's tables, and the messages that it has requested."""
    query = "select tablename from pg_tables where schemaname = current_schema() order by 1"
    ignored = list(ignore)
    found: _Tables = {}
    names = [row["tablename"] for row in await feed.connection.fetch(query)]
    sources = {name: f'"{name}"' for name in names}
    sources["runtime.outbox"] = "(select run, key, message from runtime.outbox)"
    for name, source in sources.items():
        text = f"select (to_jsonb(t) - $1::text[])::text as row from {source} as t order by 1"  # noqa: S608 — own names
        found[name] = [row["row"] for row in await feed.connection.fetch(text, ignored)]
    return found


def _difference(expected: _Tables, found: _Tables) -> str:
    lines = []
    for name in expected:
        lines += [f"{name}: missing {row}" for row in expected[name] if row not in found[name]]
        lines += [f"{name}: unexpected {row}" for row in found[name] if row not in expected[name]]
    return "\n".join(lines) or "a row has another number of copies"
