"""The contract's schemas, as standard clients of Confluent's schema registry read them."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any

import fastavro
from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream_schemas.topics import Topic, partition_of, topic_name
from tests.integration.api.serving import PARTITIONS

if TYPE_CHECKING:
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served


async def test_a_message_is_decoded_with_the_schema_of_its_id(served: Served, digits: Recording) -> None:
    """The wire format and the URL of the registry are enough to decode a message."""
    partition = TopicPartition(topic_name(served.prefix, Topic.LOG), partition_of(digits.run, PARTITIONS))
    consumer = AIOKafkaConsumer(bootstrap_servers=served.broker, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        message = await consumer.getone()
    finally:
        await consumer.stop()
    magic, identifier = struct.unpack(">bI", message.value[:5])
    schema = json.loads(served.get(f"/schemas/ids/{identifier}")["schema"])
    record: Any = fastavro.schemaless_reader(io.BytesIO(message.value[5:]), fastavro.parse_schema(schema), None)
    assert magic == 0
    assert (record["entity"], record["project"]) == (digits.run.entity, digits.run.project)


def test_each_topic_has_a_subject(served: Served) -> None:
    """Subjects are named TOPIC-value."""
    expected = sorted(f"{topic_name(served.prefix, topic)}-value" for topic in Topic)
    assert expected == served.get("/subjects")


def test_every_version_of_a_subject_has_its_schema(served: Served) -> None:
    """Each version has an id and a text, and the id leads to the same text."""
    for subject in served.get("/subjects"):
        for version in served.get(f"/subjects/{subject}/versions"):
            found = served.get(f"/subjects/{subject}/versions/{version}")
            assert (subject, version) == (found["subject"], found["version"])
            assert {"schema": found["schema"]} == served.get(f"/schemas/ids/{found['id']}")
            assert [{"subject": subject, "version": version}] == served.get(f"/schemas/ids/{found['id']}/versions")
        assert found == served.get(f"/subjects/{subject}/versions/latest")


def test_responses_have_the_media_type_of_the_registry(served: Served) -> None:
    """Clients check the media type."""
    assert served.ask("/subjects").headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"


def test_errors_have_the_codes_of_the_registry(served: Served) -> None:
    """Unknown ids, subjects and versions have different codes."""
    subject = served.get("/subjects")[0]
    paths = {
        "/schemas/ids/1": 40403,
        "/subjects/nothing/versions": 40401,
        "/subjects/nothing/versions/1": 40401,
        f"/subjects/{subject}/versions/999": 40402,
        f"/subjects/{subject}/versions/x": 40402,
    }
    for path, code in paths.items():
        answer = served.ask(path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, code)


def test_the_registry_is_read_only(served: Served) -> None:
    """The mode is READONLY, and the compatibility level is FULL_TRANSITIVE."""
    assert served.get("/mode") == {"mode": "READONLY"}
    assert served.get("/config") == {"compatibilityLevel": "FULL_TRANSITIVE"}
