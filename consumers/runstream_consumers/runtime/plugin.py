"""The interface of a consumer: what a package registers under the entry-point group ``runstream.consumers``.

The runtime owns Kafka, offsets, decoding, duplicates, quarantine and the transaction. A consumer says what it reads and
what a batch of fresh events changes in its own tables. Built-in consumers use this interface and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

    from runstream_schemas.events import Event
    from runstream_schemas.topics import Topic

#: An asyncpg connection; asyncpg ships no types.
Connection = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One event as it came, less the records that had been seen before."""

    topic: Topic
    partition: int
    offset: int
    #: Broker append time, microseconds since 1970.
    append_time: int
    #: The message that carries ``event``; encoded anew where the event had to be cut.
    message: bytes
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Fresh events of one partition number, over all topics the consumer reads; offsets ascend within a topic."""

    partition: int
    events: Sequence[Received]


class Producer(Protocol):
    """Appends to the topics of the stack."""

    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Append a message; returns once the broker has it. Raises OSError or a Kafka error where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the runtime lends a consumer."""

    #: The consumer's name; also the default schema of its connection.
    name: str
    prefix: str
    partitions: int
    producer: Producer


class Partition(Protocol):
    """A consumer's work on one partition. The runtime makes a new one whenever memory may be stale."""

    async def load(self, connection: Connection) -> None:
        """Read what the fold needs from the consumer's tables; called once, before the first batch."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Write what a batch changes, within the open transaction that also moves the offsets.

        A data error may be raised as it is: the runtime rolls back, makes a new Partition and tries the events one by
        one; the ones that fail alone go to quarantine.
        """

    async def background(self) -> None:
        """Run beside the batches until cancelled (a ticker, say); return at once where there is nothing to do."""


class Consumer(Protocol):
    """What an entry point of the group ``runstream.consumers`` names: a class without arguments."""

    @property
    def name(self) -> str:
        """Lower-case identifier: Kafka group, Postgres schema, sink id."""

    @property
    def topics(self) -> frozenset[Topic]:
        """The topics it reads."""

    @property
    def migrations(self) -> Traversable:
        """Folder of ``NNNN_name.sql`` files, run in order, each once, with ``search_path`` set to its schema."""

    def partition(self, number: int, context: Context) -> Partition:
        """Return the work on one partition."""
