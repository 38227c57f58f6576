"""Messages kept as files are read by every later version, and written the same by the current one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas import registry
from runstream_schemas.codec import decode, decode_run, encode
from runstream_schemas.topics import Topic
from tests.contract.examples import VECTORS, examples, path_of, vector_of
from tests.contract.meaning import meaning_of

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(VECTORS.glob("*/*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(VECTORS).with_suffix("")) for path in FILES])
def test_old_messages_are_read(path: Path) -> None:
    """A message of any committed version decodes to its recorded content; newer fields have their defaults."""
    vector = json.loads(path.read_text(encoding="utf-8"))
    event = decode(Topic(vector["topic"]), bytes.fromhex(vector["message"]))
    assert known(meaning_of(event), vector["meaning"]) == vector["meaning"]


def known(found: Any, meant: Any) -> Any:
    """Return the decoded content without the fields that did not exist when the message was written."""
    if isinstance(found, dict) and isinstance(meant, dict):
        return {name: known(found[name], value) for name, value in meant.items()}
    if isinstance(found, list) and isinstance(meant, list) and len(found) == len(meant):
        return [known(one, value) for one, value in zip(found, meant, strict=True)]
    return found


@pytest.mark.parametrize("name", examples())
def test_examples_are_encoded_as_recorded(name: str) -> None:
    """The current version encodes an event to exactly the recorded bytes."""
    event = examples()[name]
    assert vector_of(event) == json.loads(path_of(name, event).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", examples())
def test_a_decoded_message_is_encoded_to_the_same_bytes(name: str) -> None:
    """Decoding and encoding a message with the same version does not change it."""
    message = encode(examples()[name])
    assert encode(decode(examples()[name].topic, message)) == message


@pytest.mark.parametrize("name", examples())
def test_the_run_of_a_message_is_found_without_decoding_it(name: str) -> None:
    """Every schema begins with the kind and the run, so a reader finds the run of a message that it cannot decode."""
    message = encode(examples()[name])
    assert decode_run(message) == examples()[name].run
    assert decode_run(message[:-1]) == examples()[name].run


def test_every_version_of_every_topic_has_vectors() -> None:
    """Each committed schema version has at least one recorded message."""
    kept = {(path.parent.parent.name, int(path.parent.name)) for path in FILES}
    assert {(schema.topic.value, schema.version) for schema in registry.schemas().values()} == kept
    heads = {tuple(field["name"] for field in schema.parsed["fields"][:4]) for schema in registry.schemas().values()}
    assert heads == {("kind", "entity", "project", "run_id")}
