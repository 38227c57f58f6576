"""Convert summary states to plain data and back: lists, texts, numbers and None, for msgpack and JSON.

Equal states give equal data. Version 2 lists each writer once and includes the latest row; version 1 is still read. A
value that is neither a number nor a boolean is stored as its JSON text, in a list of one item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_schemas import values
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.summary_algebra.assignments import Assigned, Assignments, Removed
from runstream_schemas.summary_algebra.definitions import Definition, Definitions
from runstream_schemas.summary_algebra.exact import canonical
from runstream_schemas.summary_algebra.key_state import KeyState, Path, Seen
from runstream_schemas.summary_algebra.summary_state import SummaryState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runstream_schemas.topics import RunPath

VERSION = 2
PARTS = ("manual", "config", "attributes", "metadata")
_INT64 = range(-(2**63), 2**63)


def encode_state(state: SummaryState) -> dict[str, Any]:
    """Return a state as plain data, without the path of its run."""
    return {
        "keys": encode_keys(state.keys, state.latest),
        "document": encode_document(state),
        "last_step": state.last_step,
        "created": state.created,
        "updated": state.updated,
    }


def decode_state(run: RunPath, data: Mapping[str, Any]) -> SummaryState:
    """Return the state that :func:`encode_state` encoded; raises MalformedEvent if its version is not supported."""
    state = SummaryState(run=run)
    decode_keys(state, data["keys"])
    decode_document(state, data["document"])
    state.last_step, state.created, state.updated = data["last_step"], data["created"], data["updated"]
    return state


def encode_keys(keys: Mapping[Path, KeyState], latest: Seen | None = None) -> list[Any]:
    """Return the states of keys, sorted by path, and the latest row."""
    writers = sorted({seen.writer for state in keys.values() for seen in (state.first, state.last) if seen is not None})
    numbers = {writer: number for number, writer in enumerate(writers)}
    states = [[list(path), *_encode_key(keys[path], numbers)] for path in sorted(keys)]
    latest_row = None if latest is None else [*latest.tag, latest.writer.hex(), latest.value]
    return [VERSION, [writer.hex() for writer in writers], states, latest_row]


def decode_keys(state: SummaryState, data: list[Any]) -> None:
    """Add the states of keys to a summary state that has none of them."""
    if data[0] == 1:
        for *path, packed in data[1]:
            state.keys[tuple(path)] = _decode_key(packed, None)
        return
    _check_version(data[0])
    writers = [bytes.fromhex(writer) for writer in data[1]]
    for path, *packed in data[2]:
        state.keys[tuple(path)] = _decode_key(packed, writers)
    if (latest_row := data[3]) is not None:
        *tag, writer, time = latest_row
        state.latest = Seen((tag[0], tag[1], tag[2]), bytes.fromhex(writer), time)


def encode_document(state: SummaryState) -> list[Any]:
    """Return what :func:`encode_keys` omits: assignments, definitions, continued writers and the branch."""
    parts = [_encode_assignments(getattr(state, name).entries.items()) for name in PARTS]
    continues = [[writer.hex(), sorted(one.hex() for one in past)] for writer, past in sorted(state.continues.items())]
    branch = None if state.branch is None else [state.branch[0], state.branch[1].hex()]
    full = [sorted(state.full)] if state.full else []
    return [VERSION, parts, _encode_definitions(state.definitions), continues, branch, *full]


def decode_document(state: SummaryState, data: list[Any]) -> None:
    """Replace the assignments, definitions, continued writers and the branch of a state."""
    version, parts, given, continues, *later = data
    if version == 1:
        parts = [[(path, tag, writer.hex(), *rest) for path, tag, writer, *rest in part] for part in parts]
        continues = [[writer.hex(), [one.hex() for one in past]] for writer, past in continues]
    else:
        _check_version(version)
    for name, part in zip(PARTS, parts, strict=True):
        setattr(state, name, _decode_assignments(part))
    state.definitions = _decode_definitions(given)
    branch = later[0] if later else None
    state.full = set(later[1]) if len(later) > 1 else set()
    state.branch = None if branch is None else (branch[0], bytes.fromhex(branch[1]))
    state.continues = {
        bytes.fromhex(writer): frozenset(bytes.fromhex(one) for one in past) for writer, past in continues
    }


def encode_assigned(state: SummaryState, paths: Mapping[str, Iterable[Path]]) -> list[Any]:
    """Return the assignments to some paths that are in effect, by the name of the part of the state."""
    parts = [(getattr(state, name).entries, paths.get(name, ())) for name in PARTS]
    return [
        VERSION,
        [_encode_assignments((path, known[path]) for path in some if path in known) for known, some in parts],
    ]


def decode_assigned(data: list[Any]) -> dict[str, list[tuple[Path, Assigned]]]:
    """Return the assignments that :func:`encode_assigned` encoded."""
    version, parts = data
    _check_version(version)
    return {name: list(_decode_items(part)) for name, part in zip(PARTS, parts, strict=True)}


def _check_version(version: Any) -> None:
    if version != VERSION:
        raise MalformedEvent(f"Unsupported version {version} of a summary state, expected at most {VERSION}")


def _encode_key(state: KeyState, numbers: Mapping[bytes, int]) -> Iterable[Any]:
    mantissa, exponent = canonical(state.sum)
    total = mantissa if mantissa in _INT64 else f"{mantissa:x}"
    first, last = _encode_seen(state.first, numbers), _encode_seen(state.last, numbers)
    return (state.count, state.nan, state.above, state.below, state.low, state.high, total, exponent, first, last)


def _decode_key(packed: list[Any], writers: list[bytes] | None) -> KeyState:
    """Return the state of a key; ``writers`` is None for version 1, which repeats writers and packs mantissas."""
    count, nan, above, below, low, high, mantissa, exponent, first, last = packed
    if isinstance(mantissa, str):
        mantissa = int(mantissa, 16)
    elif isinstance(mantissa, bytes):
        mantissa = int.from_bytes(mantissa, "little", signed=True)
    ends = _decode_seen(first, writers), _decode_seen(last, writers)
    return KeyState(count, nan, above, below, low, high, (mantissa, exponent), *ends)


def _encode_seen(seen: Seen | None, numbers: Mapping[bytes, int]) -> list[Any] | None:
    return None if seen is None else [*seen.tag, numbers[seen.writer], _encode_value(seen.value)]


def _decode_seen(packed: list[Any] | None, writers: list[bytes] | None) -> Seen | None:
    if packed is None:
        return None
    step, offset, order, writer, value = packed
    return Seen((step, offset, order), writer if writers is None else writers[writer], _decode_value(value))


def _encode_value(value: Any) -> Any:
    is_number = isinstance(value, float | bool) or (isinstance(value, int) and value in _INT64)
    return value if is_number else [values.dump(value)]


def _decode_value(packed: Any) -> Any:
    return values.load(packed[0]) if isinstance(packed, list) else packed


def _encode_assignments(items: Iterable[tuple[Path, Assigned]]) -> list[Any]:
    names: dict[bytes, str] = {}
    return [
        [
            list(path),
            list(tag),
            names.get(writer) or names.setdefault(writer, writer.hex()),
            order,
            None if value is Removed else values.dump(value),
        ]
        for path, (tag, writer, order, value) in sorted(items)
    ]


def _decode_assignments(packed: Iterable[Any]) -> Assignments:
    part = Assignments()
    for path, assigned in _decode_items(packed):
        part.assign(path, assigned)
    return part


def _decode_items(packed: Iterable[Any]) -> Iterator[tuple[Path, Assigned]]:
    for path, tag, writer, order, text in packed:
        value = Removed if text is None else values.load(text)
        yield tuple(path), Assigned(tuple(tag), bytes.fromhex(writer), order, value)


def _encode_definitions(definitions: Definitions) -> list[Any]:
    return [
        [list(tag), _encode_definition(definition)]
        for _, given in sorted(definitions.given.items())
        for tag, definition in sorted(given.items())
    ]


def _encode_definition(definition: Definition) -> dict[str, Any]:
    summary = None if definition.summary is None else sorted(definition.summary)
    return {name: getattr(definition, name) for name in Definition.__slots__} | {"summary": summary}


def _decode_definitions(packed: Iterable[Any]) -> Definitions:
    definitions = Definitions()
    for tag, fields in packed:
        summary = fields["summary"]
        given = Definition(**(fields | {"summary": None if summary is None else frozenset(summary)}))
        definitions.define(tuple(tag), given)
    return definitions
