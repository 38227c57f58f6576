"""The read barrier: wait until the consumers have read everything that the brokers had at the time of the request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from runstream_consumers.api.database import Database
from runstream_consumers.api.kafka.offsets import BrokerOffsets, Span
from runstream_consumers.api.problems import Unavailable
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.runtime.registry import resume_readers
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import RunPath, partition_of, topic_name

_POLL_S = 0.05
#: Up to which offset a run is stored: some of its messages before the stored offset may still be deferred.
_STORED = """
select sink, topic, least(next, (
    select min("offset") from runtime.deferred
    where deferred.sink = sinks.sink and deferred.partition = $1 and run = $3 and deferred.topic = sinks.topic
)) as next
from runtime.sink_offset as sinks where partition = $1 and sink = any($2::text[])
"""


@dataclass(frozen=True, slots=True)
class ReadBarrier:
    """Compares the offsets of the brokers with those that the consumers have stored."""

    _settings: ServerSettings
    #: Where the consumers store their offsets.
    _database: Database
    _brokers: BrokerOffsets

    async def wait(self, run: RunPath, *, within_s: float) -> None:
        """Wait until everything of a run that the brokers have now is stored by the consumers it is resumed from.

        Raises Unavailable if Kafka does not answer, or if the consumers do not catch up in time.
        """
        partition = partition_of(run, self._settings.partitions)
        topics = {topic for topics in resume_readers().values() for topic in topics}
        spans = await self._brokers.spans([topic_name(self._settings.prefix, topic) for topic in topics], partition)
        lagging: list[str] = []
        try:
            async with asyncio.timeout(within_s):
                while lagging := await self._lagging(run, partition, spans):  # noqa: ASYNC110 - other processes store it
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            message = f"Consumers lag behind the brokers: {', '.join(lagging) or 'the database is slow'}. Retry later."
            raise Unavailable("behind", message) from None

    async def _lagging(self, run: RunPath, partition: int, spans: Mapping[str, Span]) -> list[str]:
        """Return the consumers and topics that are not read to the end."""
        readers = resume_readers()
        async with self._database.connection() as connection:
            rows = await connection.fetch(_STORED, partition, list(readers), run_key(run))
        stored = {(row["sink"], row["topic"]): row["next"] for row in rows}
        wanted = [
            (sink, topic_name(self._settings.prefix, topic)) for sink, topics in readers.items() for topic in topics
        ]
        return [
            f"{sink} in {name}" for sink, name in wanted if stored.get((sink, name), spans[name][0]) < spans[name][1]
        ]
