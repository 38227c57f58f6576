"""The id of the Kafka cluster, by which shippers recognize brokers that they have delivered to."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from runstream_consumers.api.problems import Unavailable


class Cluster:
    """Requests the cluster's id from the brokers until they have answered once."""

    def __init__(self, brokers: str, *, deadline_s: float = 5.0) -> None:
        self.brokers = brokers
        self._deadline_s = deadline_s
        self._request: asyncio.Task[str] | None = None

    async def id(self) -> str:
        """Return the cluster's id; raises Unavailable if no broker answers in time."""
        if self._request is None or (self._request.done() and self._request.exception()):
            self._request = asyncio.create_task(self._fetch())
        # Concurrent callers share one request; cancelling one of them does not cancel it for the others.
        return await asyncio.shield(self._request)

    async def _fetch(self) -> str:
        client = AIOKafkaAdminClient(
            bootstrap_servers=self.brokers,
            client_id="runstream-api",
            request_timeout_ms=int(self._deadline_s * 1000),
        )
        try:
            async with asyncio.timeout(self._deadline_s):
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
