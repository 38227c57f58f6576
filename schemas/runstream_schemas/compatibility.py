"""Checks of schemas, and of the compatibility between two versions (rules: docs/contract.md).

Stricter than Avro: schemas must not lose bits, allow attacks on a decoder, or stop an old reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: A schema as parsed from its JSON text.
Definition = Any

_PRIMITIVES = frozenset(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
#: Written type → types as which it is read without loss. Avro also reads long as double, which loses low bits.
_WIDER = {"int": {"long", "double"}, "float": {"double"}}
_NAMED = frozenset(["record", "enum", "fixed"])


def faults(definition: Definition) -> list[str]:
    """Return why a schema is not allowed as the record type of a topic; empty if it is."""
    if not isinstance(definition, dict) or definition.get("type") != "record":
        return ["the type of a topic must be a record"]
    return _Linter(_named_types(definition)).faults(definition, "", open_names=())


def problems(reader: Definition, writer: Definition) -> list[str]:
    """Return why ``reader`` cannot read data of ``writer`` exactly; empty if it always can."""
    return _Pair(_named_types(reader), _named_types(writer)).problems(reader, writer, "")


def full_transitive(versions: list[Definition]) -> list[str]:
    """Return why versions cannot read each other; versions are in order, starting with 1."""
    return [
        f"{old} read as {new}: {problem}"
        for new, reader in enumerate(versions, 1)
        for old, writer in enumerate(versions, 1)
        for problem in problems(reader, writer)
    ]


@dataclass(frozen=True, slots=True)
class _Linter:
    names: dict[str, Definition]

    def faults(self, definition: Definition, where: str, open_names: tuple[str, ...]) -> list[str]:
        if isinstance(definition, list):
            return [fault for branch in definition for fault in self.faults(branch, where, open_names)]
        if isinstance(definition, str):
            return [f"{where}: recursion into {definition}"] if definition in open_names else []
        kind = definition["type"]
        if kind == "record":
            return [
                fault
                for item in definition["fields"]
                for fault in self.faults(item["type"], f"{where}/{item['name']}", (*open_names, definition["name"]))
            ]
        if kind == "enum":
            named = definition.get("default") in definition["symbols"]
            return [] if named else [f"{where}: enum {definition['name']} has no default for future symbols"]
        if kind in ("array", "map"):
            items = definition["items" if kind == "array" else "values"]
            inner = self.faults(items, f"{where}[]", open_names)
            without_bytes = [f"{where}: items of zero bytes"] if not inner and self._has_no_bytes(items) else []
            return inner + without_bytes
        return [] if kind in _PRIMITIVES or kind == "fixed" else self.faults(kind, where, open_names)

    def _has_no_bytes(self, definition: Definition) -> bool:
        """Return whether a value can have zero bytes, so that five bytes could declare a billion items."""
        if isinstance(definition, list):
            return False
        if isinstance(definition, str):
            return definition == "null" or (definition in self.names and self._has_no_bytes(self.names[definition]))
        kind = definition["type"]
        if kind == "record":
            return all(self._has_no_bytes(item["type"]) for item in definition["fields"])
        return kind == "null" or bool(kind == "fixed" and definition["size"] == 0)


@dataclass(frozen=True, slots=True)
class _Pair:
    reader_names: dict[str, Definition]
    writer_names: dict[str, Definition]

    def problems(self, reader: Definition, writer: Definition, where: str) -> list[str]:
        reader = _resolved(reader, self.reader_names)
        writer = _resolved(writer, self.writer_names)
        if isinstance(writer, list):
            return [problem for branch in writer for problem in self.problems(reader, branch, where)]
        if isinstance(reader, list):
            tries = [self.problems(branch, writer, where) for branch in reader]
            return [] if [] in tries else [f"{where}: no branch accepts {_kind(writer)}"]
        if _kind(reader) != _kind(writer):
            fits = _kind(reader) in _WIDER.get(_kind(writer), set())
            return [] if fits else [f"{where}: {_kind(writer)} cannot be read as {_kind(reader)} without loss"]
        if _kind(reader) in _NAMED and reader["name"] != writer["name"]:
            return [f"{where}: {writer['name']} was renamed {reader['name']}"]
        return self._same_kind(reader, writer, where)

    def _same_kind(self, reader: Definition, writer: Definition, where: str) -> list[str]:
        match _kind(reader):
            case "record":
                return self._fields(reader, writer, where)
            case "enum":
                strange = set(writer["symbols"]) - set(reader["symbols"])
                lost = strange and reader.get("default") not in reader["symbols"]
                return [f"{where}: no default for {sorted(strange)}"] if lost else []
            case "fixed":
                return [] if reader["size"] == writer["size"] else [f"{where}: size changed"]
            case "array":
                return self.problems(reader["items"], writer["items"], f"{where}[]")
            case "map":
                return self.problems(reader["values"], writer["values"], f"{where}{{}}")
        return []

    def _fields(self, reader: Definition, writer: Definition, where: str) -> list[str]:
        written = {item["name"]: item for item in writer["fields"]}
        found: list[str] = []
        for item in reader["fields"]:
            inner = f"{where}/{item['name']}"
            if item["name"] in written:
                found += self.problems(item["type"], written[item["name"]]["type"], inner)
            elif "default" not in item:
                found.append(f"{inner}: not written, and without a default")
        return found


def _kind(definition: Definition) -> str:
    return definition if isinstance(definition, str) else definition["type"]


def _resolved(definition: Definition, names: dict[str, Definition]) -> Definition:
    while True:
        if isinstance(definition, str) and definition in names:
            definition = names[definition]
        elif isinstance(definition, dict) and isinstance(definition["type"], list | dict):
            definition = definition["type"]
        else:
            return definition


def _named_types(definition: Definition) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    rest = [definition]
    while rest:
        match rest.pop():
            case list() as branches:
                rest += branches
            case {"type": "record", "name": name, "fields": items} as record:
                found[name] = record
                rest += [item["type"] for item in items]
            case {"type": "enum" | "fixed", "name": name} as named:
                found[name] = named
            case {"type": "array", "items": items} | {"type": "map", "values": items}:
                rest.append(items)
            case {"type": list() | dict() as inner}:
                rest.append(inner)
    return found
