"""The contract's schemas, as a stock reader of Confluent's wire format gets them."""

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


async def test_a_message_is_read_with_the_schema_its_id_names(served: Served, digits: Recording) -> None:
    """A reader that knows only the wire format and this registry's address reads what was logged."""
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


def test_subjects_are_the_topics_values(served: Served) -> None:
    """Each topic has the subject that the usual naming gives it."""
    expected = sorted(f"{topic_name(served.prefix, topic)}-value" for topic in Topic)
    assert expected == served.get("/subjects")


def test_every_version_of_every_subject_is_there(served: Served) -> None:
    """A subject's versions each have the id and text that the id leads back to."""
    for subject in served.get("/subjects"):
        for version in served.get(f"/subjects/{subject}/versions"):
            found = served.get(f"/subjects/{subject}/versions/{version}")
            assert (subject, version) == (found["subject"], found["version"])
            assert {"schema": found["schema"]} == served.get(f"/schemas/ids/{found['id']}")
            assert [{"subject": subject, "version": version}] == served.get(f"/schemas/ids/{found['id']}/versions")
        assert found == served.get(f"/subjects/{subject}/versions/latest")


def test_answers_have_the_registrys_media_type(served: Served) -> None:
    """Clients check the media type of the protocol."""
    assert served.ask("/subjects").headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"


def test_what_is_not_there_is_told_in_the_protocols_shape(served: Served) -> None:
    """Errors have the protocol's codes."""
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


def test_nothing_can_be_registered(served: Served) -> None:
    """The registry is read only, and says so."""
    assert served.get("/mode") == {"mode": "READONLY"}
    assert served.get("/config") == {"compatibilityLevel": "FULL_TRANSITIVE"}
