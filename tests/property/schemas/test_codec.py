"""Encoding and decoding of any event, and refusal of anything else with one exception."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstream_schemas import registry
from runstream_schemas.codec import decode, encode
from runstream_schemas.events import Event, LogEvent
from runstream_schemas.exceptions import LimitExceeded, MalformedEvent
from runstream_schemas.framing import HEAD_BYTES, frame
from runstream_schemas.limits import Limits
from runstream_schemas.rows import cut, unpack_rows
from runstream_schemas.topics import Topic
from tests.contract.avro_bytes import zigzag
from tests.contract.meaning import meaning_of
from tests.property.schemas.strategies import any_event


@given(any_event)
def test_a_decoded_event_equals_the_encoded_one(event: Event) -> None:
    """All content is preserved exactly."""
    assert meaning_of(event) == meaning_of(decode(event.topic, encode(event)))


def read_or_refuse(topic: Topic, message: bytes) -> None:
    """Assert that a message raises MalformedEvent, or is an event that can be encoded, unpacked and cut."""
    with suppress(MalformedEvent):
        event = decode(topic, message)
        assert meaning_of(event) == meaning_of(decode(topic, encode(event)))
        if isinstance(event, LogEvent) and len(event.times):
            assert event.count == len(unpack_rows(event))
            assert cut(event, 0, 1).count == 1


@given(st.sampled_from(Topic), st.binary(max_size=300))
def test_random_bytes_are_refused(topic: Topic, message: bytes) -> None:
    """Random bytes raise MalformedEvent and no other exception."""
    read_or_refuse(topic, message)


@given(st.sampled_from(Topic), st.binary(max_size=300))
def test_random_bodies_are_refused(topic: Topic, body: bytes) -> None:
    """Random bytes after a valid frame raise MalformedEvent, or are an event."""
    read_or_refuse(topic, frame(registry.current(topic).id, body))


@given(any_event, st.data())
def test_truncated_messages_are_refused(event: Event, data: st.DataObject) -> None:
    """A message that ends early is never decoded as a shorter event."""
    message = encode(event)
    size = data.draw(st.integers(0, len(message) - 1))
    with pytest.raises(MalformedEvent):
        decode(event.topic, message[:size])


@given(any_event, st.binary(min_size=1, max_size=9))
def test_longer_messages_are_refused(event: Event, rest: bytes) -> None:
    """Bytes after the end of the record are not ignored."""
    with pytest.raises(MalformedEvent):
        decode(event.topic, encode(event) + rest)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(any_event, st.data())
def test_damaged_messages_are_refused_or_read(event: Event, data: st.DataObject) -> None:
    """A message with flipped bits raises MalformedEvent, or is an event that can be processed further."""
    message = bytearray(encode(event))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    read_or_refuse(event.topic, bytes(message))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(any_event, st.data())
def test_overwritten_lengths_are_refused_or_read(event: Event, data: st.DataObject) -> None:
    """Any number in place of a length, a count or an index raises MalformedEvent, or is an event."""
    message = encode(event)
    where = data.draw(st.integers(HEAD_BYTES, len(message) - 1))
    number = data.draw(st.sampled_from([2**31, 2**62, 2**63 - 1, -1, -(2**31), -(2**63), 127, 64]))
    read_or_refuse(event.topic, message[:where] + zigzag(number) + message[where + 1 :])


@given(any_event, st.sampled_from(Topic))
def test_events_on_the_wrong_topic_are_refused(event: Event, topic: Topic) -> None:
    """A message is accepted only on the topic of its schema."""
    if topic is not event.topic:
        with pytest.raises(MalformedEvent):
            decode(topic, encode(event))


@given(any_event)
def test_the_size_of_a_message_is_limited(event: Event) -> None:
    """A message above the limit is refused even if it is well formed."""
    message = encode(event)
    with pytest.raises(LimitExceeded):
        decode(event.topic, message, Limits(message_bytes=len(message) - 1))
