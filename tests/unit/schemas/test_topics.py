"""Topics, partitions, names and ids, on which all programs must agree."""

from __future__ import annotations

import json

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_the_client
from fastavro.schema import to_parsing_canonical_form
from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas import registry, values
from runstream_schemas.exceptions import UnknownSchema
from runstream_schemas.framing import frame, unframe
from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.topics import (
    RunPath,
    Topic,
    is_name,
    message_key,
    murmur2,
    partition_of,
    topic_name,
    topic_settings,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafka(text: str, number: int) -> None:
    """The expected hashes are those of Kafka's own tests, as unsigned numbers."""
    assert murmur2(text.encode()) == number & 0xFFFFFFFF


@given(st.binary(max_size=50))
def test_murmur2_is_that_of_other_clients(data: bytes) -> None:
    """A client that partitions by key chooses the same partition."""
    assert murmur2(data) == murmur2_of_the_client(data) & 0xFFFFFFFF


def test_the_partition_of_a_run_never_changes() -> None:
    """The partition depends only on the path; these numbers must never change."""
    runs = [RunPath(entity="ada", project="digits", run_id=f"run{number}") for number in range(6)]
    assert [partition_of(run, 8) for run in runs] == [6, 6, 2, 2, 3, 0]
    assert message_key(runs[0]) == b"ada/digits/run0"
    assert {partition_of(run, 1) for run in runs} == {0}


def test_topics_are_named_by_prefix() -> None:
    """Each prefix has nine topics."""
    assert topic_name("acme", Topic.LOG) == "acme.log"
    assert len({topic_name("acme", topic) for topic in Topic}) == 9


def test_only_heartbeats_have_limited_retention() -> None:
    """Heartbeats are kept for 14 days, all other topics without limit; times are those of the broker."""
    kept = {topic: topic_settings(topic)["retention.ms"] for topic in Topic}
    assert kept == {**dict.fromkeys(Topic, "-1"), Topic.HEARTBEAT: "1209600000"}
    shared = {key: {topic_settings(topic)[key] for topic in Topic} for key in topic_settings(Topic.LOG)}
    assert shared["compression.type"] == {"uncompressed"}
    assert shared["message.timestamp.type"] == {"LogAppendTime"}
    assert shared["max.message.bytes"] == {str(DEFAULT_LIMITS.message_bytes)}
    assert topic_settings(Topic.LOG, Limits(message_bytes=5))["max.message.bytes"] == "5"


@pytest.mark.parametrize("name", ["a", "ä b", "run-1_2.3", "a" * 128, "...", ".a", "%2F", "#?"])
def test_a_name_may_have_unusual_characters(name: str) -> None:
    """Spaces, letters of any script and characters that a URL has to quote are allowed."""
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "a" * 129, "a/b", "/", ".", "..", "a\0", "\n", "a\x7f", "\x85", "\ud800", "..\n"])
def test_a_name_that_does_not_fit_a_path_is_invalid(name: str) -> None:
    """Separators, parent folders and control characters are not allowed."""
    assert not is_name(name)


@given(st.integers(0, 2**31 - 1), st.binary(max_size=20))
def test_a_frame_can_be_read_back(identifier: int, body: bytes) -> None:
    """The id and the body are those that were framed."""
    assert unframe(frame(identifier, body)) == (identifier, body)


def test_an_id_depends_on_the_content_of_a_schema() -> None:
    """Documentation and the order of attributes have no effect on the id; a field does."""
    schema = registry.current(Topic.EXIT)
    definition = json.loads(schema.text)
    assert schema.id == registry.schema_id(definition)
    assert schema.id == registry.schema_id(json.loads(to_parsing_canonical_form(definition)))
    definition["fields"].pop()
    assert schema.id != registry.schema_id(definition)


def test_schemas_are_found_by_id() -> None:
    """Every committed schema is found; any other id raises UnknownSchema."""
    assert all(registry.by_id(schema.id) is schema for schema in registry.schemas().values())
    with pytest.raises(UnknownSchema):
        registry.by_id(0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), '{"_type":"float","value":"NaN"}'),
        ([1, float("-inf")], '[1,{"_type":"float","value":"-Infinity"}]'),
        ({"a": (float("inf"), None)}, '{"a":[{"_type":"float","value":"Infinity"},null]}'),
        ("ä\0\ud800", '"\\u00e4\\u0000\\ud800"'),
    ],
)
def test_free_values_are_ascii_json(value: object, text: str) -> None:
    """Values without a JSON form are tagged; characters that databases cannot store are escaped."""
    assert values.dump(value) == text
    values.check(text, depth=3)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {"a": [object()]}, {"a": [float("nan"), object()]}])
def test_values_of_other_types_cannot_be_dumped(value: object) -> None:
    """Only types of JSON are accepted."""
    with pytest.raises(TypeError):
        values.dump(value)


@pytest.mark.parametrize("text", ["", "NaN", "[1,]", "{'a':1}", "[[[[1]]]]", '"\n"', "1 2", "[" * 9999])
def test_an_invalid_text_is_refused(text: str) -> None:
    """The text is not JSON, or is nested deeper than allowed."""
    with pytest.raises(ValueError, match=r".+"):
        values.check(text, depth=3)


def test_a_dict_that_resembles_a_tag_is_unchanged() -> None:
    """Only the three tagged forms are floats."""
    assert values.load('{"_type":"float","value":"pi"}') == {"_type": "float", "value": "pi"}
    assert values.load('{"_type":"float","value":"NaN","more":1}') == {"_type": "float", "value": "NaN", "more": 1}
