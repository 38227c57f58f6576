"""Create the topics of a prefix with the settings of the contract, and check existing ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_fixed

from runstream_deploy.exceptions import DataFolderError
from runstream_schemas.topics import Topic, topic_name, topic_settings


async def ensure_topics(brokers: str, prefix: str, *, partitions: int, replicas: int = 1) -> None:
    """Create the topics of ``prefix`` that do not exist yet; raise KafkaError if the broker refuses.

    The number of partitions never changes: DataFolderError is raised if topics exist with another one.
    """
    await once_recovered(_ensure_topics, brokers, prefix, partitions, replicas)


async def once_recovered(action: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Repeat an action for up to a minute: brokers are fenced for seconds after a suspension, and list topics late."""
    attempts = AsyncRetrying(
        retry=retry_if_exception(_is_temporary), wait=wait_fixed(0.5), stop=stop_after_delay(60), reraise=True
    )
    await attempts(action, *arguments)


def _is_temporary(error: BaseException) -> bool:
    kinds = (errors.BrokerNotAvailableError, errors.NodeNotReadyError, errors.UnknownTopicOrPartitionError)
    return isinstance(error, kinds) or (isinstance(error, errors.KafkaError) and "fenced" in str(error))


async def _ensure_topics(brokers: str, prefix: str, partitions: int, replicas: int) -> None:
    async with connected_admin(brokers) as admin:
        names = {topic_name(prefix, topic): topic for topic in Topic}
        existing = set(await admin.list_topics()) & names.keys()
        wanted = [
            NewTopic(name, partitions, replicas, topic_configs=dict(topic_settings(topic)))
            for name, topic in names.items()
            if name not in existing
        ]
        if wanted:
            existing |= await _create(admin, wanted)
        if existing:
            await _require_partitions(admin, sorted(existing), partitions)


@asynccontextmanager
async def connected_admin(brokers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Provide a client of a cluster that has brokers; without them, the library has no controller and fails."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=30_000)
    try:
        await admin.start()
        try:
            yield admin
        except AttributeError as error:
            raise errors.BrokerNotAvailableError(f"The cluster of {brokers} has no controller") from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> set[str]:
    """Create topics; return those that exist: another process created them, or the broker did not list them yet."""
    existing = set()
    answer = await admin.create_topics(topics, timeout_ms=30_000)
    for name, code, *message in answer.topic_errors:
        error = errors.for_code(code)
        if error is errors.TopicAlreadyExistsError:
            existing.add(name)
        elif code:
            raise error(f"topic {name}: {' '.join(map(str, message))}")
    return existing


async def _require_partitions(admin: AIOKafkaAdminClient, names: list[str], partitions: int) -> None:
    for topic in await admin.describe_topics(names):
        if topic["error_code"]:  # not listed yet
            raise errors.for_code(topic["error_code"])(f"topic {topic['topic']}")
        found = len(topic["partitions"])
        if found != partitions:
            raise DataFolderError(
                f"Topic {topic['topic']} has {found} partitions, but the settings require {partitions}: "
                f"set RUNSTREAM_PARTITIONS={found} (the number is fixed when the topics are created)"
            )
