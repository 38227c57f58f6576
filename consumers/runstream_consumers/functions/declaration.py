"""The decorator ``consumer``, and the consumer that it makes of a function."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeAlias

from runstream_consumers.functions.outbox import Deliver, Outbox
from runstream_consumers.functions.run import Run, Selection
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration, SimplePartition
from runstream_schemas.events import Stream
from runstream_schemas.topics import Topic

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STREAMS = tuple(stream.value for stream in Stream if stream is not Stream.UNKNOWN)
#: Receives a run with its new items: rows of the topic ``log``, events of any other topic.
Function: TypeAlias = "Callable[[Run, Sequence[Any]], Awaitable[None] | None]"


def consumer(
    name: str,
    *,
    topics: Collection[str] = ("log",),
    keys: Collection[str] = (),
    stream: str = "history",
    start: str = "start",
    deliver: Deliver | None = None,
) -> Callable[[Function], FunctionConsumer]:
    """Make a consumer of a function, which is called with a run and its new rows, or its new events of other topics.

    Args:
        name: Name of the consumer; lower-case letters, digits and ``_``.
        topics: The topics to read: log, config, summary, alert, exit, state, heartbeat, file, artifact.
        keys: Only rows that have one of these names, with these values only.
        stream: Which rows: history, system or console.
        start: Where it begins when it runs for the first time: start, now, or a time.
        deliver: Sends a message of ``run.once`` to another system; a plain function runs in a thread.
    """
    if not isinstance(name, str):
        raise TypeError('Missing name of a consumer: expected @consumer("NAME")')
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"Invalid name of a consumer {name!r}: use lower-case letters, digits and _")
    for option, given in (("topics", topics), ("keys", keys)):
        if isinstance(given, str):  # its characters would be taken for the elements
            raise TypeError(f"Invalid {option} {given!r}: expected a list, such as {[given]}")
    known = {topic.value: topic for topic in Topic}
    if unknown := sorted({*topics} - known.keys()):
        raise ValueError(f"Unknown topics {unknown}: expected some of {', '.join(known)}")
    if stream not in _STREAMS:
        raise ValueError(f"Invalid stream {stream!r}: expected one of {', '.join(_STREAMS)}")
    if deliver is not None and not callable(deliver):
        raise TypeError(f'Invalid deliver {deliver!r}: expected webhook("VARIABLE"), or a function')
    selection = Selection(Stream(stream), frozenset(keys))
    chosen = frozenset(known[topic] for topic in topics)

    def decorate(function: Function) -> FunctionConsumer:
        try:
            inspect.signature(function).bind(None, ())
        except TypeError as error:
            raise TypeError(f"Invalid function of consumer {name}: expected (run, rows), but {error}") from None
        return FunctionConsumer(name, function, chosen, selection, start=start, deliver=deliver)

    return decorate


class FunctionConsumer:
    """A consumer that has no tables of its own."""

    #: A folder without migrations.
    migrations: Traversable = files("runstream_consumers.functions")

    def __init__(
        self,
        name: str,
        function: Function,
        topics: frozenset[Topic],
        selection: Selection,
        *,
        start: str,
        deliver: Deliver | None,
    ) -> None:
        self.name = name
        self.topics = topics
        self.selection = selection
        self.deliver = deliver
        self.declaration = Declaration(start=start, settings=getattr(deliver, "settings", None))
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, run: Run, items: Sequence[Any]) -> Awaitable[None] | None:
        """Call the function."""
        return self._function(run, items)

    def partition(self, number: int, context: Context) -> FunctionPartition:
        """Return the work on one partition number."""
        outbox = None if self.deliver is None else Outbox(context=context, partition=number, deliver=self.deliver)
        return FunctionPartition(self, outbox)


class FunctionPartition(SimplePartition):
    """Calls the function with the batches of one partition number, and sends the messages that it requests."""

    def __init__(self, consumer: FunctionConsumer, outbox: Outbox | None) -> None:
        self._consumer = consumer
        self._outbox = outbox

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Call the function for each run, and store the messages."""
        messages: list[tuple[str, str, str]] = []
        for run, items in self._consumer.selection.by_run(batch.events):
            result = self._consumer(run, items)
            if inspect.isawaitable(result):
                await result
            messages += [(str(run), key, text) for key, text in run.messages.items()]
        if self._outbox is not None:
            await self._outbox.add(connection, messages)
        elif messages:
            raise RuntimeFault(f"Consumer {self._consumer.name} requests messages: pass @consumer what delivers them")

    async def background(self) -> None:
        """Send messages until cancelled."""
        if self._outbox is not None:
            await self._outbox.run()
