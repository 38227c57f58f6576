"""The bytes kept as files are read by every later version, and written so by the version that is current."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstream_schemas import registry
from runstream_schemas.codec import decode, encode
from runstream_schemas.topics import Topic
from tests.contract.examples import VECTORS, examples, path_of, vector_of
from tests.contract.meaning import meaning_of

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(VECTORS.glob("*/*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(VECTORS).with_suffix("")) for path in FILES])
def test_old_bytes_are_read(path: Path) -> None:
    """A message that any committed version wrote means what it meant; a field that is newer has its default."""
    vector = json.loads(path.read_text(encoding="utf-8"))
    event = decode(Topic(vector["topic"]), bytes.fromhex(vector["message"]))
    assert known(meaning_of(event), vector["meaning"]) == vector["meaning"]


def known(found: Any, meant: Any) -> Any:
    """Return what was found less the fields that were not known when the bytes were written."""
    if isinstance(found, dict) and isinstance(meant, dict):
        return {name: known(found[name], value) for name, value in meant.items()}
    return found


@pytest.mark.parametrize("name", examples())
def test_examples_are_written_as_their_files_say(name: str) -> None:
    """The current version writes an event to the very bytes that its file keeps."""
    event = examples()[name]
    assert vector_of(event) == json.loads(path_of(name, event).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", examples())
def test_reading_and_writing_again_changes_nothing(name: str) -> None:
    """A message that is read and written again by the same version is the same message."""
    message = encode(examples()[name])
    assert encode(decode(examples()[name].topic, message)) == message


def test_every_version_of_every_topic_has_bytes() -> None:
    """No committed version is without a file of its bytes."""
    kept = {(path.parent.parent.name, int(path.parent.name)) for path in FILES}
    assert {(schema.topic.value, schema.version) for schema in registry.schemas().values()} == kept
