"""Which facts events about artifacts have, and which events are refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from runstream_consumers.artifact_decisions.model import Collection, merged, source_content
from runstream_consumers.artifacts.model import Facts
from runstream_schemas.events import ArtifactAction, ArtifactEvent, Kind
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.stored.manifest import Manifest, ManifestEntry
from tests.artifact_events import ENTITY, PROJECT, TIME, ArtifactHistory

DATA = Collection(entity=ENTITY, project=PROJECT, name="data")


def logged(**fields: Any) -> ArtifactEvent:
    """Return a valid log of a version, with other fields."""
    history = ArtifactHistory()
    history.log("data", "a")
    return replace(history.events[0], **fields)


def facts_of(*events: ArtifactEvent) -> Facts:
    """Return the facts of events."""
    facts = Facts()
    for event in events:
        facts.add(event, TIME)
    return facts


INVALID: dict[str, dict[str, Any]] = {
    "a name with a colon": {"name": "a:b"},
    "no name": {"name": ""},
    "an entity with a slash": {"artifact_entity": "a/b"},
    "no decision": {"decision": 0},
    "no version": {"version": -1},
    "a short digest": {"digest": b"x"},
    "no manifest": {"manifest_key": ""},
    "the manifest of another entity": {"artifact_entity": "eve"},
    "an alias with a slash": {"aliases": ["a/b"]},
    "a tag with a control character": {"tags": ["a\0"]},
    "metadata that is no JSON": {"metadata": "{"},
    "metadata that is nested too deep": {"metadata": "[" * 100_000},
    "metadata that is no object": {"metadata": "[1]"},
    "a lifetime beyond all years": {"ttl_s": 2**62},
    "a target without an entity": {"action": ArtifactAction.LINK, "target": "p/a", "target_decision": 1},
    "a target that is a version": {"action": ArtifactAction.LINK, "target": "e/p/a:v0", "target_decision": 1},
    "a target without a version": {"action": ArtifactAction.LINK, "target": "e/p/a", "target_decision": 1},
    "a removed link without a version": {"action": ArtifactAction.UNLINK, "target": "e/p/a", "target_decision": 1},
    "a draft that is no UUID": {"action": ArtifactAction.UPSERT, "draft": "x"},
    "a use without a version": {"action": ArtifactAction.USE, "version": -1},
    "changes that are no object": {"action": ArtifactAction.UPDATE, "changes": "1"},
    "aliases that are no object": {"action": ArtifactAction.UPDATE, "changes": '{"aliases": []}'},
    "aliases that are no texts": {"action": ArtifactAction.UPDATE, "changes": '{"aliases": {"add": [1]}}'},
    "a description that is no text": {"action": ArtifactAction.UPDATE, "changes": '{"description": 1}'},
    "a lifetime that is no integer": {"action": ArtifactAction.UPDATE, "changes": '{"ttl_s": true}'},
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_events_are_refused(name: str) -> None:
    """An event that no writer of the contract sends is malformed, and goes to the quarantine."""
    with pytest.raises(MalformedEvent):
        facts_of(logged(**INVALID[name]))


def test_lost_and_unknown_events_have_no_facts() -> None:
    """What is only counted, or of a later version of the contract, changes nothing."""
    lost = logged()
    lost = replace(lost, header=replace(lost.header, kind=Kind.DROPPED))

    assert facts_of(lost, logged(action=ArtifactAction.UNKNOWN)) == Facts()


def test_reserved_aliases_are_left_out() -> None:
    """``latest`` and ``v3`` in an event are ignored, since they follow from the versions."""
    facts = facts_of(logged(aliases=["latest", "v3", "best"]))

    assert [name for _, _, _, name in facts.labels] == ["best"]


def test_the_smallest_decision_defines_a_version() -> None:
    """Of two logs of a version the earlier one says which run made it, whichever is read first."""
    history = ArtifactHistory()
    history.log("data", "a", run="first")
    history.log("data", "a", run="second")

    assert facts_of(*history.events).versions == facts_of(*reversed(history.events)).versions
    assert facts_of(*history.events).versions[DATA.key, 0][4] == "first"


def test_later_contributions_replace_paths_of_earlier_ones() -> None:
    """Merged manifests have every path once, with the entry of the last manifest that has it."""
    old, new = (ManifestEntry(size=size, sha256=hashlib.sha256(b"x").digest()) for size in (1, 2))

    assert merged([Manifest({"a": old, "b": old}), Manifest({"a": new})]).entries == {"a": new, "b": old}


def test_links_to_different_versions_differ() -> None:
    """What a link stands for depends on the collection and the version."""
    other = Collection(entity=ENTITY, project=PROJECT, name="other").key

    assert len({source_content(DATA.key, 0), source_content(DATA.key, 1), source_content(other, 0)}) == 3
