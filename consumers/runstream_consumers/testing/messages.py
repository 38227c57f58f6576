"""The messages that a consumer of one function requests, without any server."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from runstream_consumers.functions.declaration import FunctionConsumer
from runstream_consumers.runtime.kafka.messages import receive
from runstream_consumers.testing.feed import encoded
from runstream_schemas import values
from runstream_schemas.events import Event


def messages_of(consumer: FunctionConsumer, *events: Event) -> dict[tuple[str, str], Any]:
    """Return the messages that a function requests for events, by run and key; of each key the first.

    The events of topics that the consumer does not read are left out. Not for use in a running event loop.
    """
    return asyncio.run(_collect(consumer, events))


async def _collect(consumer: FunctionConsumer, events: tuple[Event, ...]) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    wanted = [receive(message, 1) for message in encoded(events) if message.topic in consumer.topics]
    for run, items in consumer.selection.by_run(wanted):
        result = consumer(run, items)
        if inspect.isawaitable(result):
            await result
        for key, text in run.messages.items():
            found.setdefault((str(run), key), values.load(text))
    return found
