"""The id of the Kafka cluster, which tells a shipper whether it has met these brokers before."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from runstream_consumers.api.problems import Unavailable


class Cluster:
    """Asks the brokers for the cluster's id until they have once answered."""

    def __init__(self, brokers: str, *, deadline_s: float = 5.0) -> None:
        self.brokers = brokers
        self._deadline_s = deadline_s
        self._asked: asyncio.Task[str] | None = None

    async def id(self) -> str:
        """Return the cluster's id; raises Unavailable where no broker answers in time."""
        if self._asked is None or (self._asked.done() and self._asked.exception()):
            self._asked = asyncio.create_task(self._ask())
        # All who come while the question is open share its answer; one who leaves does not take it from the others.
        return await asyncio.shield(self._asked)

    async def _ask(self) -> str:
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
            message = f"Kafka does not answer at {self.brokers}."
            raise Unavailable("kafka_unreachable", message) from error
        finally:
            await client.close()
        if not described.get("cluster_id"):
            raise Unavailable("kafka_unreachable", f"Kafka at {self.brokers} does not tell its cluster id yet.")
        return str(described["cluster_id"])
