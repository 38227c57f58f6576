"""Random data for any schema."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(),
    "bytes": st.binary(max_size=8),
    "string": st.text(st.characters(codec="utf-8"), max_size=8),
}


def values_of(definition: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a schema."""
    return _values(definition, {})


def _values(definition: Any, names: dict[str, Any]) -> st.SearchStrategy[Any]:
    if isinstance(definition, str):
        return _PRIMITIVES[definition] if definition in _PRIMITIVES else _values(names[definition], names)
    if "name" in definition:
        names[definition["name"]] = definition
    match definition["type"]:
        case "record":
            return st.fixed_dictionaries({item["name"]: _values(item["type"], names) for item in definition["fields"]})
        case "array":
            return st.lists(_values(definition["items"], names), max_size=2)
        case "enum":
            return st.sampled_from(definition["symbols"])
        case "fixed":
            return st.binary(min_size=definition["size"], max_size=definition["size"])
    return _values(definition["type"], names)
