"""Topics, partitions, names, ids: the numbers that everyone must agree on."""

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
def test_murmur2_is_the_one_of_kafka(text: str, number: int) -> None:
    """The numbers that Kafka's own tests expect, as unsigned."""
    assert murmur2(text.encode()) == number & 0xFFFFFFFF


@given(st.binary(max_size=50))
def test_murmur2_is_the_one_of_other_clients(data: bytes) -> None:
    """A client that partitions by key puts a run where we do."""
    assert murmur2(data) == murmur2_of_the_client(data) & 0xFFFFFFFF


def test_a_run_has_one_partition() -> None:
    """The partition follows from the path alone; here with its numbers, which must never change."""
    runs = [RunPath(entity="ada", project="digits", run_id=f"run{number}") for number in range(6)]
    assert [partition_of(run, 8) for run in runs] == [6, 6, 2, 2, 3, 0]
    assert message_key(runs[0]) == b"ada/digits/run0"
    assert {partition_of(run, 1) for run in runs} == {0}


def test_topics_are_named_by_prefix() -> None:
    """Each tenant has a prefix, with nine topics under it."""
    assert topic_name("acme", Topic.LOG) == "acme.log"
    assert len({topic_name("acme", topic) for topic in Topic}) == 9


def test_only_heartbeats_are_forgotten() -> None:
    """All topics are kept without limit, uncompressed and with the broker's time; heartbeat for 14 days."""
    kept = {topic: topic_settings(topic)["retention.ms"] for topic in Topic}
    assert kept == {**dict.fromkeys(Topic, "-1"), Topic.HEARTBEAT: "1209600000"}
    shared = {key: {topic_settings(topic)[key] for topic in Topic} for key in topic_settings(Topic.LOG)}
    assert shared["compression.type"] == {"uncompressed"}
    assert shared["message.timestamp.type"] == {"LogAppendTime"}
    assert shared["max.message.bytes"] == {str(DEFAULT_LIMITS.message_bytes)}
    assert topic_settings(Topic.LOG, Limits(message_bytes=5))["max.message.bytes"] == "5"


@pytest.mark.parametrize("name", ["a", "ä b", "run-1_2.3", "a" * 128, "...", ".a", "%2F", "#?"])
def test_names_may_be_almost_anything(name: str) -> None:
    """Spaces, other alphabets and what a URL has to quote are fine."""
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "a" * 129, "a/b", "/", ".", "..", "a\0", "\n", "a\x7f", "\x85", "\ud800", "..\n"])
def test_names_must_fit_a_path(name: str) -> None:
    """Nothing that could be taken for a separator, a parent folder or the end of a line."""
    assert not is_name(name)


@given(st.integers(0, 2**31 - 1), st.binary(max_size=20))
def test_frames_open_again(identifier: int, body: bytes) -> None:
    """The id and the body come back."""
    assert unframe(frame(identifier, body)) == (identifier, body)


def test_an_id_follows_from_the_content_of_a_schema() -> None:
    """Documentation and order of attributes do not matter; a field does."""
    schema = registry.current(Topic.EXIT)
    definition = json.loads(schema.text)
    assert schema.id == registry.schema_id(definition)
    assert schema.id == registry.schema_id(json.loads(to_parsing_canonical_form(definition)))
    definition["fields"].pop()
    assert schema.id != registry.schema_id(definition)


def test_schemas_are_found_by_id() -> None:
    """Every committed schema, and no other."""
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
    """What JSON cannot say is tagged; what databases cannot hold is escaped."""
    assert values.dump(value) == text
    values.check(text, depth=3)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {"a": [object()]}, {"a": [float("nan"), object()]}])
def test_strange_types_are_no_values(value: object) -> None:
    """Only what JSON knows can be dumped."""
    with pytest.raises(TypeError):
        values.dump(value)


@pytest.mark.parametrize("text", ["", "NaN", "[1,]", "{'a':1}", "[[[[1]]]]", '"\n"', "1 2", "[" * 9999])
def test_bad_texts_are_found(text: str) -> None:
    """No JSON, or nested deeper than allowed."""
    with pytest.raises(ValueError, match=r".+"):
        values.check(text, depth=3)


def test_a_dict_like_a_tag_stays_a_dict() -> None:
    """Only the three spellings are floats."""
    assert values.load('{"_type":"float","value":"pi"}') == {"_type": "float", "value": "pi"}
    assert values.load('{"_type":"float","value":"NaN","more":1}') == {"_type": "float", "value": "NaN", "more": 1}
