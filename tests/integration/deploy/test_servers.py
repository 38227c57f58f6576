"""The three servers of the fixtures, accessed by their own clients."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from minio.error import MinioException

from runstream_deploy.exceptions import DataFolderError
from runstream_deploy.services.object_store import ObjectStore, ensure_bucket
from runstream_deploy.services.topics import ensure_topics
from runstream_schemas.topics import Topic, topic_name
from tests.polling import eventually_async

if TYPE_CHECKING:
    from runstream_deploy.services.postgres import Postgres
    from tests.own_broker import OwnBroker


#: Longer than a broker's session, 9 s.
_SUSPENSION_S = 12.0


async def test_messages_have_the_append_time_of_the_broker(broker: str, prefix: str) -> None:
    """A message has the broker's append time (timestamp type 1), whatever time the client sent."""
    name = topic_name(prefix, Topic.HEARTBEAT)
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        await producer.send_and_wait(name, b"beat", partition=1, timestamp_ms=1)
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(name, 1)])
        message = await consumer.getone()
    finally:
        await consumer.stop()
    assert (message.value, message.timestamp_type) == (b"beat", 1)
    assert message.timestamp > 1


async def test_topics_keep_their_number_of_partitions(broker: str, prefix: str) -> None:
    """Creating existing topics changes nothing; another number of partitions is an error."""
    await ensure_topics(broker, prefix, partitions=2)
    with pytest.raises(DataFolderError, match="has 2 partitions, but the settings require 3"):
        await ensure_topics(broker, prefix, partitions=3)


async def test_topics_of_a_newer_version_are_added_to_an_existing_stack(broker: str, prefix: str) -> None:
    """A topic that an older version did not create is created, and the others keep their messages."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.delete_topics([topic_name(prefix, Topic.STATE)])
        await eventually_async(lambda: _is_missing(admin, topic_name(prefix, Topic.STATE)))
        await ensure_topics(broker, prefix, partitions=2)
        await eventually_async(lambda: _are_listed(admin, {topic_name(prefix, topic) for topic in Topic}))
    finally:
        await admin.close()


async def test_topics_are_created_once_a_suspended_broker_has_recovered(own_broker: OwnBroker) -> None:
    """After a suspension the broker is fenced for some seconds; creating topics waits for its end."""
    own_broker.signal(signal.SIGSTOP)
    await asyncio.sleep(_SUSPENSION_S)
    own_broker.signal(signal.SIGCONT)
    for number in range(3):
        await ensure_topics(own_broker.kafka.address, f"later{number}", partitions=2)


async def _are_listed(admin: AIOKafkaAdminClient, topics: set[str]) -> bool:
    return topics <= set(await admin.list_topics())


async def _is_missing(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def test_postgres_requires_the_password(postgres: Postgres, database: str) -> None:
    """The server answers with the right password and rejects a wrong one."""
    connection = await asyncpg.connect(database)
    try:
        assert (await connection.fetchval("SHOW server_version")) == postgres.version
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database.replace("postgres:", "postgres:x", 1))


async def test_object_store_requires_the_key(object_store: ObjectStore) -> None:
    """The right secret lists a new bucket; a wrong one is rejected."""
    await ensure_bucket(object_store.client(), "pictures")
    await ensure_bucket(object_store.client(), "pictures")
    assert "pictures" in [bucket.name for bucket in object_store.client().list_buckets()]
    stranger = ObjectStore(
        object_store.folder, port=object_store.port, access_key=object_store.access_key, secret_key="wrong"
    )
    with pytest.raises(MinioException, match="SignatureDoesNotMatch"):
        stranger.client().list_buckets()
