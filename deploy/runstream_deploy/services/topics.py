"""Create the topics of a prefix with the settings of the contract, and check existing ones."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from runstream_deploy.exceptions import DataFolderError
from runstream_schemas.topics import Topic, topic_name, topic_settings


async def ensure_topics(brokers: str, prefix: str, *, partitions: int, replicas: int = 1) -> None:
    """Create the topics of ``prefix`` that do not exist yet; raise KafkaError if the broker refuses.

    The number of partitions never changes: DataFolderError is raised if topics exist with another one.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=30_000)
    await admin.start()
    try:
        names = {topic_name(prefix, topic): topic for topic in Topic}
        existing = set(await admin.list_topics()) & names.keys()
        wanted = [
            NewTopic(name, partitions, replicas, topic_configs=dict(topic_settings(topic)))
            for name, topic in names.items()
            if name not in existing
        ]
        if wanted:
            await _create(admin, wanted)
        if existing:
            await _require_partitions(admin, sorted(existing), partitions)
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    answer = await admin.create_topics(topics, timeout_ms=30_000)
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        # Another process may have created it in the meantime.
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {name}: {' '.join(map(str, message))}")


async def _require_partitions(admin: AIOKafkaAdminClient, names: list[str], partitions: int) -> None:
    for topic in await admin.describe_topics(names):
        found = len(topic["partitions"])
        if found != partitions:
            raise DataFolderError(
                f"Topic {topic['topic']} has {found} partitions, but the settings require {partitions}: "
                f"set RUNSTREAM_PARTITIONS={found} (the number is fixed when the topics are created)"
            )
