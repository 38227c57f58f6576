"""Offsets of the brokers, read over one connection that is shared by all requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from runstream_consumers.api.problems import Unavailable
from runstream_consumers.runtime.kafka.client import start_timeout

#: The first offset of a topic's partition, and the one after the last.
Span = tuple[int, int]

_REQUEST_TIMEOUT_S = 5.0
_CLIENT_OPTIONS = {"client_id": "runstream-api", "request_timeout_ms": int(_REQUEST_TIMEOUT_S * 1000)}


class BrokerOffsets:
    """Reads offsets; connects with the first request, and again after an error."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._client: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def spans(self, topics: Sequence[str], partition: int) -> dict[str, Span]:
        """Return the offsets of a partition of each topic; raises Unavailable if the brokers do not answer."""
        places = [TopicPartition(topic, partition) for topic in topics]
        try:
            async with asyncio.timeout(start_timeout(_REQUEST_TIMEOUT_S)):
                client = await self._connected()
                first = await client.beginning_offsets(places)
                end = await client.end_offsets(places)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise Unavailable("kafka_unreachable", f"Kafka at {self._brokers} does not answer.") from error
        return {place.topic: (first[place], end[place]) for place in places}

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                    await client.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        async with self._lock:
            if self._client is None:
                client = AIOKafkaConsumer(bootstrap_servers=self._brokers, **_CLIENT_OPTIONS)
                try:
                    await client.start()
                except BaseException:
                    await client.stop()
                    raise
                self._client = client
            return self._client


class Cluster:
    """Requests the cluster's id from the brokers until they have answered once."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self._request: asyncio.Task[str] | None = None

    async def id(self) -> str:
        """Return the cluster's id; raises Unavailable if no broker answers in time."""
        if self._request is None or (self._request.done() and self._request.exception()):
            self._request = asyncio.create_task(self._fetch())
        # Concurrent callers share one request; cancelling one of them does not cancel it for the others.
        return await asyncio.shield(self._request)

    async def _fetch(self) -> str:
        client = AIOKafkaAdminClient(bootstrap_servers=self.brokers, **_CLIENT_OPTIONS)
        try:
            async with asyncio.timeout(start_timeout(_REQUEST_TIMEOUT_S)):
                await client.start()
                described = await client.describe_cluster()
        except (KafkaError, OSError, TimeoutError) as error:
            message = f"Kafka at {self.brokers} does not answer."
            raise Unavailable("kafka_unreachable", message) from error
        finally:
            await client.close()
        if not described.get("cluster_id"):
            raise Unavailable("kafka_unreachable", f"Kafka at {self.brokers} does not report its cluster id yet.")
        return str(described["cluster_id"])
