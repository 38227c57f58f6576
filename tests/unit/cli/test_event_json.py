"""Events as JSON objects."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from runstream.cli.event_json import message_json
from runstream_schemas import codec, events, values
from runstream_schemas.topics import Topic
from tests.property.schemas.strategies import any_event


@given(any_event)
def test_every_event_is_json(event: events.Event) -> None:
    """Every valid event has its header, and its body as JSON; the rows of a block are complete."""
    found: dict[str, Any] = message_json(event.topic, codec.encode(event))
    assert "problem" not in found, found
    assert values.load(values.dump(found)) is not None
    assert found["event"]["run"] == str(event.header.run)
    assert found["event"]["kind"] == event.header.kind.value
    if isinstance(event, events.LogEvent):
        assert [row["step"] for row in found["event"]["rows"]] == event.steps.tolist()


def test_a_message_that_is_no_event_has_a_problem() -> None:
    """Nothing is raised, whatever a message holds."""
    for message in (None, b"", b"\0", b"not an event", b"\0" * 1000):
        found = message_json(Topic.LOG, message)
        assert found["problem"]
        assert bytes.fromhex(found["bytes"]) == (message or b"")[:64]
