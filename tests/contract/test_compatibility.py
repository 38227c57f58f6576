"""Every version of a schema reads what every other version wrote: the rules, and all committed versions."""

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
    """Return a modifiable copy of the newest schema of a topic."""
    return json.loads(registry.current(topic).text)


def versions(topic: Topic) -> list[Any]:
    """Return all committed versions of a topic's schema, in order."""
    found = sorted((schema for schema in registry.schemas().values() if schema.topic is topic), key=lambda s: s.version)
    assert list(range(1, len(found) + 1)) == [schema.version for schema in found]
    return [json.loads(schema.text) for schema in found]


# --- All committed versions


@pytest.mark.parametrize("topic", Topic)
def test_every_version_follows_the_schema_rules(topic: Topic) -> None:
    """Schemas have no recursion, no union at the top and no array of empty items; every enum has a default."""
    assert [faults(version) for version in versions(topic)] == [[] for _ in versions(topic)]


@pytest.mark.parametrize("topic", Topic)
def test_every_version_reads_every_other(topic: Topic) -> None:
    """The versions of a topic are fully transitively compatible."""
    assert full_transitive(versions(topic)) == []


@given(st.sampled_from(Topic), st.data())
def test_every_version_reads_generated_data_of_every_other(topic: Topic, data: st.DataObject) -> None:
    """Data generated from the schema of one version can be read by every other version, older or newer."""
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
    """Old messages were written with the committed version of a schema, so a change has to be a new version."""
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
    """There are as many ids as files."""
    folder = Path(registry.__file__).parent / "avsc"
    assert len(registry.schemas()) == len(list(folder.glob("*/*.avsc")))


def test_a_type_name_is_the_same_type_in_every_topic() -> None:
    """A named type used in several topics has one definition, so classes can be generated from the schemas."""
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


# --- The rules


def field_of(schema: Any, name: str) -> Any:
    """Return a field of a record."""
    return next(item for item in schema["fields"] if item["name"] == name)


def with_new_field(schema: Any) -> None:
    """Add a field with a default."""
    schema["fields"].append({"name": "weather", "type": "string", "default": "fine"})


def without_reason(schema: Any) -> None:
    """Remove a field that has a default."""
    schema["fields"].remove(field_of(schema, "reason"))


def with_new_symbol(schema: Any) -> None:
    """Add a symbol to an enum with a default."""
    field_of(schema, "stream")["type"]["symbols"].append("audio")


def in_other_order(schema: Any) -> None:
    """Reverse the order of the fields."""
    schema["fields"].reverse()
    # A type is defined where it is used first.
    identifier, continues = field_of(schema, "writer_id"), field_of(schema, "continues")
    continues["type"]["items"], identifier["type"] = identifier["type"], continues["type"]["items"]


COMPATIBLE_CHANGES = [with_new_field, without_reason, with_new_symbol, in_other_order]


@pytest.mark.parametrize("change", COMPATIBLE_CHANGES)
@given(data=st.data())
def test_a_compatible_change_is_readable_in_both_directions(change: Callable[[Any], None], data: st.DataObject) -> None:
    """The rules allow the change, and data generated from either version can be read by the other."""
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
    """Remove a field that has no default."""
    schema["fields"].remove(field_of(schema, "project"))


def long_as_double(schema: Any) -> None:
    """Widen a long to a double."""
    field_of(schema, "time")["type"] = "double"


def wider_writer(schema: Any) -> None:
    """Make the writer's id longer."""
    field_of(schema, "writer_id")["type"]["size"] = 32


def text_as_bytes(schema: Any) -> None:
    """Change a string to bytes."""
    field_of(schema, "reason")["type"] = "bytes"


def optional(schema: Any) -> None:
    """Allow null for a field."""
    field_of(schema, "run_id")["type"] = ["null", "string"]


def renamed(schema: Any) -> None:
    """Rename an enum."""
    field_of(schema, "stream")["type"]["name"] = "Series"


def deep_change(schema: Any) -> None:
    """Change the item type of an array that is in a record in an array."""
    field_of(field_of(schema, "columns")["type"]["items"], "path")["type"]["items"] = "bytes"


INCOMPATIBLE_CHANGES = [
    required_field,
    without_project,
    long_as_double,
    wider_writer,
    text_as_bytes,
    optional,
    renamed,
    deep_change,
]


@pytest.mark.parametrize("change", INCOMPATIBLE_CHANGES)
def test_an_incompatible_change_is_reported(change: Callable[[Any], None]) -> None:
    """A change that breaks an old or a new reader, or that loses precision, is reported."""
    old, new = definition(Topic.LOG), definition(Topic.LOG)
    change(new)
    assert len(full_transitive([old, new])) >= 1


def test_only_lossless_promotions_are_allowed() -> None:
    """An int can be read as a long or a double, but not the reverse."""
    assert [problems("long", "int"), problems("double", "int"), problems("double", "float")] == [[], [], []]
    assert all([problems("int", "long"), problems("double", "long"), problems("float", "int")])


def test_a_union_reads_what_one_of_its_branches_reads() -> None:
    """If the writer's schema is a union, the reader must be able to read each of its branches."""
    assert problems(["null", "string"], "string") == []
    assert problems(["null", "string"], ["string", "null"]) == []
    assert len(problems("string", ["null", "string"])) == 1


INVALID_SCHEMAS: dict[str, Callable[[Any], Any]] = {
    "union at the top": lambda schema: [schema, "null"],
    "recursion": lambda schema: schema["fields"].append({"name": "inner", "type": {"type": "array", "items": "Log"}}),
    "items of null": lambda schema: schema["fields"].append({"name": "x", "type": {"type": "array", "items": "null"}}),
    "items of empty records": lambda schema: schema["fields"].append(
        {"name": "x", "type": {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}}}
    ),
    "items of fixed 0": lambda schema: schema["fields"].append(
        {"name": "x", "type": {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}}}
    ),
    "enum without a default": lambda schema: field_of(schema, "role")["type"].pop("default"),
    "enum whose default is not a symbol": lambda schema: field_of(schema, "role")["type"].update(default="boss"),
}


@pytest.mark.parametrize("name", INVALID_SCHEMAS)
def test_an_invalid_schema_is_reported(name: str) -> None:
    """A schema that could exhaust a decoder or break an old reader has a fault."""
    schema = copy.deepcopy(definition(Topic.LOG))
    changed = INVALID_SCHEMAS[name](schema)
    assert len(faults(changed if isinstance(changed, list) else schema)) == 1
