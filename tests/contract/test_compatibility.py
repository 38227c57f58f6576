"""Any version of a schema reads what any other version wrote: the rules, and all committed versions by them."""

from __future__ import annotations

import copy
import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas import registry
from runstream_schemas.compatibility import faults, full_transitive, problems
from runstream_schemas.topics import Topic
from tests.contract.generated import values_of

if TYPE_CHECKING:
    from collections.abc import Callable

FINGERPRINTS = Path(__file__).parent / "fingerprints.json"


def definition(topic: Topic) -> Any:
    """Return the newest schema of a topic, free to be changed."""
    return json.loads(registry.current(topic).text)


def versions(topic: Topic) -> list[Any]:
    """Return all committed versions of a topic's schema, in order."""
    found = sorted((schema for schema in registry.schemas().values() if schema.topic is topic), key=lambda s: s.version)
    assert list(range(1, len(found) + 1)) == [schema.version for schema in found]
    return [json.loads(schema.text) for schema in found]


# --- all committed versions


@pytest.mark.parametrize("topic", Topic)
def test_every_version_is_a_good_schema(topic: Topic) -> None:
    """No recursion, no union on top, no items of no bytes, a default for every enum."""
    assert [faults(version) for version in versions(topic)] == [[] for _ in versions(topic)]


@pytest.mark.parametrize("topic", Topic)
def test_every_version_reads_every_other(topic: Topic) -> None:
    """The versions of a topic are fully, transitively compatible."""
    assert full_transitive(versions(topic)) == []


@given(st.sampled_from(Topic), st.data())
def test_every_version_reads_generated_data_of_every_other(topic: Topic, data: st.DataObject) -> None:
    """Data made from one version's schema is read by the other's, whichever is older."""
    for writer in versions(topic):
        value = data.draw(values_of(writer))
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(writer), value)
        for reader in versions(topic):
            found = fastavro.schemaless_reader(
                BytesIO(buffer.getvalue()), fastavro.parse_schema(writer), fastavro.parse_schema(reader)
            )
            assert isinstance(found, dict)
            assert found["run_id"] == value["run_id"]


def test_committed_versions_never_change() -> None:
    """A committed version is what old bytes were written by: its file stays as it is, and a change is a new version."""
    folder = Path(registry.__file__).parent / "avsc"
    found = {
        f"{schema.topic.value}/{schema.version}": {
            "id": schema.id,
            "sha256": hashlib.sha256((folder / schema.topic.value / f"{schema.version}.avsc").read_bytes()).hexdigest(),
        }
        for schema in registry.schemas().values()
    }
    assert found == json.loads(FINGERPRINTS.read_text(encoding="utf-8"))


def test_no_two_files_share_an_id() -> None:
    """An id names one schema: as many ids as files."""
    folder = Path(registry.__file__).parent / "avsc"
    assert len(registry.schemas()) == len(list(folder.glob("*/*.avsc")))


def test_a_name_means_one_type_everywhere() -> None:
    """A type that several topics name is the same in each, for whoever makes classes from the schemas."""
    meanings: dict[str, set[str]] = {}
    for topic in Topic:
        for name, meaning in named_types(definition(topic)):
            meanings.setdefault(name, set()).add(json.dumps(meaning, sort_keys=True))
    assert [name for name, found in meanings.items() if len(found) > 1] == []


def named_types(value: Any) -> list[tuple[str, Any]]:
    """Return the named types that a schema defines."""
    if isinstance(value, list):
        return [found for item in value for found in named_types(item)]
    if not isinstance(value, dict):
        return []
    here = [(value["name"], value)] if value.get("type") in ("record", "enum", "fixed") else []
    return here + [found for item in value.values() for found in named_types(item)]


# --- the rules


def field_of(schema: Any, name: str) -> Any:
    """Return a field of a record."""
    return next(item for item in schema["fields"] if item["name"] == name)


def with_new_field(schema: Any) -> None:
    """Add a field with a default."""
    schema["fields"].append({"name": "weather", "type": "string", "default": "fine"})


def without_reason(schema: Any) -> None:
    """Leave out a field that has a default."""
    schema["fields"].remove(field_of(schema, "reason"))


def with_new_symbol(schema: Any) -> None:
    """Add a symbol to an enum with a default."""
    field_of(schema, "stream")["type"]["symbols"].append("audio")


def in_other_order(schema: Any) -> None:
    """Turn the fields round."""
    schema["fields"].reverse()
    # The type is defined where it is met first.
    identifier, continues = field_of(schema, "writer_id"), field_of(schema, "continues")
    continues["type"]["items"], identifier["type"] = identifier["type"], continues["type"]["items"]


GOOD_CHANGES = [with_new_field, without_reason, with_new_symbol, in_other_order]


@pytest.mark.parametrize("change", GOOD_CHANGES)
@given(data=st.data())
def test_a_good_change_reads_both_ways(change: Callable[[Any], None], data: st.DataObject) -> None:
    """The rules allow it, and data generated from either version is indeed read by the other."""
    old, new = definition(Topic.LOG), definition(Topic.LOG)
    change(new)
    assert full_transitive([old, new]) == []
    for writer, reader in ((old, new), (new, old)):
        buffer = BytesIO()
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(writer), data.draw(values_of(writer)))
        fastavro.schemaless_reader(
            BytesIO(buffer.getvalue()), fastavro.parse_schema(writer), fastavro.parse_schema(reader)
        )


def required_field(schema: Any) -> None:
    """Add a field without a default."""
    schema["fields"].append({"name": "weather", "type": "string"})


def without_project(schema: Any) -> None:
    """Leave out a field that has no default."""
    schema["fields"].remove(field_of(schema, "project"))


def long_as_double(schema: Any) -> None:
    """Widen a long to a double."""
    field_of(schema, "time")["type"] = "double"


def wider_writer(schema: Any) -> None:
    """Make the writer's id longer."""
    field_of(schema, "writer_id")["type"]["size"] = 32


def text_as_bytes(schema: Any) -> None:
    """Make a string bytes."""
    field_of(schema, "reason")["type"] = "bytes"


def optional(schema: Any) -> None:
    """Allow null where there was none."""
    field_of(schema, "run_id")["type"] = ["null", "string"]


def renamed(schema: Any) -> None:
    """Give an enum another name."""
    field_of(schema, "stream")["type"]["name"] = "Series"


def deep_change(schema: Any) -> None:
    """Change the items of an array in a record in an array."""
    field_of(field_of(schema, "columns")["type"]["items"], "path")["type"]["items"] = "bytes"


BAD_CHANGES = [
    required_field,
    without_project,
    long_as_double,
    wider_writer,
    text_as_bytes,
    optional,
    renamed,
    deep_change,
]


@pytest.mark.parametrize("change", BAD_CHANGES)
def test_a_bad_change_is_named(change: Callable[[Any], None]) -> None:
    """A change that stops a reader, old or new, or that loses bits, is told with its place."""
    old, new = definition(Topic.LOG), definition(Topic.LOG)
    change(new)
    assert len(full_transitive([old, new])) >= 1


def test_what_loses_nothing_may_be_widened_once() -> None:
    """An int is read as long or double, not the other way round."""
    assert [problems("long", "int"), problems("double", "int"), problems("double", "float")] == [[], [], []]
    assert all([problems("int", "long"), problems("double", "long"), problems("float", "int")])


def test_a_branch_must_take_what_was_written() -> None:
    """A union reads what one of its branches reads; what was a union needs every branch read."""
    assert problems(["null", "string"], "string") == []
    assert problems(["null", "string"], ["string", "null"]) == []
    assert len(problems("string", ["null", "string"])) == 1


BAD_SCHEMAS: dict[str, Callable[[Any], Any]] = {
    "union on top": lambda schema: [schema, "null"],
    "recursion": lambda schema: schema["fields"].append({"name": "inner", "type": {"type": "array", "items": "Log"}}),
    "items of null": lambda schema: schema["fields"].append({"name": "x", "type": {"type": "array", "items": "null"}}),
    "items of empty records": lambda schema: schema["fields"].append(
        {"name": "x", "type": {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}}}
    ),
    "items of fixed 0": lambda schema: schema["fields"].append(
        {"name": "x", "type": {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}}}
    ),
    "enum without a default": lambda schema: field_of(schema, "role")["type"].pop("default"),
    "enum with a default of its own": lambda schema: field_of(schema, "role")["type"].update(default="boss"),
}


@pytest.mark.parametrize("name", BAD_SCHEMAS)
def test_a_bad_schema_is_named(name: str) -> None:
    """What a decoder can be hurt with, or an old reader stopped by, is no schema of the contract."""
    schema = copy.deepcopy(definition(Topic.LOG))
    changed = BAD_SCHEMAS[name](schema)
    assert len(faults(changed if isinstance(changed, list) else schema)) == 1
