"""Events of every topic and kind from the version before the typed headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runstream_schemas.codec import decode
from runstream_schemas.events import Kind
from runstream_schemas.topics import Topic
from tests.contract.meaning import meaning_of
from tests.contract.test_vectors import known

FIXTURES = Path(__file__).parent / "fixtures"
EVENTS: dict[str, Any] = json.loads((FIXTURES / "events.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EVENTS)
def test_an_old_event_decodes_to_its_content(name: str) -> None:
    """An old message decodes to the values that the old version decoded."""
    topic = Topic(name.split("/", maxsplit=1)[0])
    event = decode(topic, bytes.fromhex(EVENTS[name]["message"]))
    assert known(meaning_of(event), EVENTS[name]["meaning"]) == EVENTS[name]["meaning"]


def test_old_events_cover_all_topics_and_kinds() -> None:
    """There is an old message of every topic and kind of the old version."""
    topics = {name.split("/", maxsplit=1)[0] for name in EVENTS}
    kinds = {event["meaning"]["kind"] for event in EVENTS.values()}
    assert topics == {topic.value for topic in Topic} - {"state"}
    assert kinds == {kind.value for kind in Kind} - {"unknown"}
