"""The interface of a consumer: what a package registers under the entry-point group ``runstream.consumers``.

The runtime owns Kafka, offsets, decoding, deduplication, quarantine and the transaction. A consumer declares what it
reads and writes what a batch of new events changes in its own tables. Built-in consumers use nothing else.
See docs/consumers.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple, Protocol, TypeAlias

from pydantic_settings import BaseSettings

from runstream_schemas.events import Event
from runstream_schemas.topics import Topic

#: An asyncpg connection; asyncpg ships no types.
Connection = Any

#: Returns a context manager that provides a database connection for the duration of a ``with`` block.
Connections: TypeAlias = "Callable[[], AbstractAsyncContextManager[Connection]]"


class Later(Exception):  # noqa: N818 — what is raised is not an error of the consumer
    """Raised by a consumer that cannot apply a batch now, for example because a service is busy.

    The batch is applied again after a pause, as after an OSError or an HTTP error of httpx such as 503.
    """


class Received(NamedTuple):
    """An event with its position in Kafka, without the records that were already applied."""

    topic: Topic
    partition: int
    offset: int
    #: Broker append time, microseconds since 1970.
    append_time: int
    #: The encoded ``event``; encoded again if records had to be removed.
    message: bytes
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """New events of one partition number, over all topics the consumer reads.

    Offsets of a run ascend within a topic; those of other runs need not be in between.
    """

    partition: int
    events: Sequence[Received]


class Producer(Protocol):
    """Appends to the topics of the stack."""

    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Append a message and wait for the broker's acknowledgment; raises OSError or KafkaError if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the runtime provides to a consumer."""

    #: The consumer's name, which is also its Postgres schema.
    name: str
    prefix: str
    partitions: int
    producer: Producer
    #: Connections for background work, with the consumer's schema as search path; a few per process.
    connection: Connections
    #: An instance of the consumer's settings class; None if it declares none.
    settings: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteContext:
    """What the HTTP server provides to a consumer's routes."""

    #: Read-only connections without a search path: qualify table names with the schema.
    connection: Connections
    #: An instance of the consumer's settings class; None if it declares none.
    settings: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Optional properties of a consumer, assigned to its attribute ``declaration``."""

    #: Read from the environment when the process starts; choose an ``env_prefix`` such as ``RUNSTREAM_BEST_``.
    settings: type[BaseSettings] | None = None
    #: Where a new sink begins: "beginning", "now", or an RFC 3339 time. The option ``--from`` takes precedence.
    start: str = "beginning"
    #: Topics whose delivery this consumer accounts for: a record counts as stored once it is applied here.
    owned_topics: frozenset[Topic] = frozenset()
    #: Topics that must be read to their end before a run is resumed. Declare this only for a consumer that always runs.
    resume_topics: frozenset[Topic] = frozenset()
    #: Called in the transaction in which the tables of a replay take the place of those in use, with the names of both
    #: schemas (in use, rebuilt): carries over what a replay must not decide again.
    before_swap: Callable[[Connection, str, str], Awaitable[None]] | None = None
    #: Returns a FastAPI router, which the server mounts at ``/api/v1/consumers/NAME``. Import FastAPI in the function:
    #: consumer processes do not need it.
    routes: Callable[[RouteContext], Any] | None = None


class Partition(Protocol):
    """A consumer's work on one partition number. The runtime makes a new one whenever its memory may be stale."""

    async def load(self, connection: Connection) -> None:
        """Read from the consumer's tables what is kept in memory; called once, before the first batch."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Write what a batch changes, within the open transaction that also moves the offsets.

        An exception rolls the batch back. The runtime then makes a new Partition and applies the events in smaller
        and smaller groups, so that only those that fail alone are quarantined.
        """

    async def background(self) -> None:
        """Run concurrently with the batches until cancelled, for example a timer; return if there is nothing to do."""


class SimplePartition:
    """Base class for a partition that keeps nothing in memory and does no background work."""

    async def load(self, connection: Connection) -> None:
        """Read nothing."""

    async def background(self) -> None:
        """Return at once."""


class Consumer(Protocol):
    """What an entry point of the group ``runstream.consumers`` names: a class that is called without arguments.

    The attribute ``declaration`` (:class:`Declaration`) is optional.
    """

    @property
    def name(self) -> str:
        """Lower-case identifier: Kafka group, Postgres schema, name of the sink."""

    @property
    def topics(self) -> frozenset[Topic]:
        """The topics it reads."""

    @property
    def migrations(self) -> Traversable:
        """Folder of ``NNNN_name.sql`` files, each run once, in order, with the consumer's schema as search path."""

    def partition(self, number: int, context: Context) -> Partition:
        """Return the work on one partition number."""


def declaration_of(consumer: Consumer) -> Declaration:
    """Return what a consumer declares; the defaults if it has no attribute ``declaration``."""
    declared: Declaration = getattr(consumer, "declaration", Declaration())
    return declared
