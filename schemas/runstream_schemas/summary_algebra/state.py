"""The fold of a run as plain data, and back: lists, texts, numbers and None, which both msgpack and JSON can say.

Equal folds give equal data. The numbers of version 1 are those of the first release; version 2 names each writer once,
and knows the latest row. A value that is neither a number nor a boolean is kept as its JSON text, in a list of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_schemas import values
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.summary_algebra.assignments import Assigned, Assignments, Removed
from runstream_schemas.summary_algebra.definitions import Definition, Definitions
from runstream_schemas.summary_algebra.exact import Exact, canonical
from runstream_schemas.summary_algebra.fold import RunFold
from runstream_schemas.summary_algebra.key import KeyFold, Path, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runstream_schemas.topics import RunPath

VERSION = 2
_PARTS = ("manual", "config", "attributes", "metadata")
_INT64 = range(-(2**63), 2**63)


def run_state(fold: RunFold) -> dict[str, Any]:
    """Return everything of a fold but which run it is of."""
    return {
        "keys": keys_state(fold.keys, fold.latest),
        "document": document_state(fold),
        "last_step": fold.last_step,
        "created": fold.created,
        "updated": fold.updated,
    }


def run_fold(run: RunPath, state: Mapping[str, Any]) -> RunFold:
    """Return the fold that :func:`run_state` told; raises MalformedEvent where it is of a version unknown here."""
    fold = RunFold(run=run)
    take_keys(fold, state["keys"])
    take_document(fold, state["document"])
    fold.last_step, fold.created, fold.updated = state["last_step"], state["created"], state["updated"]
    return fold


def keys_state(keys: Mapping[Path, KeyFold], latest: Seen | None = None) -> list[Any]:
    """Return the folds of keys, sorted by path, and where the latest row stands."""
    writers = sorted({seen.writer for fold in keys.values() for seen in (fold.first, fold.last) if seen is not None})
    numbers = {writer: number for number, writer in enumerate(writers)}
    folds = [[list(path), *_key_state(keys[path], numbers)] for path in sorted(keys)]
    place = None if latest is None else [*latest.tag, latest.writer.hex(), latest.value]
    return [VERSION, [writer.hex() for writer in writers], folds, place]


def take_keys(fold: RunFold, state: list[Any]) -> None:
    """Add the folds of keys to a fold that has none of them."""
    if state[0] == 1:
        for *path, packed in state[1]:
            fold.keys[tuple(path)] = _old_key(packed)
        return
    _check(state[0])
    writers = [bytes.fromhex(writer) for writer in state[1]]
    for path, *packed in state[2]:
        fold.keys[tuple(path)] = _key(packed, writers)
    if (place := state[3]) is not None:
        *tag, writer, time = place
        fold.latest = Seen((tag[0], tag[1], tag[2]), bytes.fromhex(writer), time)


def document_state(fold: RunFold) -> list[Any]:
    """Return all that :func:`keys_state` leaves out: assignments, definitions, and who continues whom."""
    parts = [_assignments_state(getattr(fold, name)) for name in _PARTS]
    continues = [[writer.hex(), sorted(one.hex() for one in past)] for writer, past in sorted(fold.continues.items())]
    branch = None if fold.branch is None else [fold.branch[0], fold.branch[1].hex()]
    return [VERSION, parts, _given_state(fold.definitions), continues, branch]


def take_document(fold: RunFold, state: list[Any]) -> None:
    """Put assignments, definitions and who continues whom in the place of those of a fold."""
    version, parts, given, continues, *later = state
    if version == 1:
        parts = [[(path, tag, writer.hex(), *rest) for path, tag, writer, *rest in part] for part in parts]
        continues = [[writer.hex(), [one.hex() for one in past]] for writer, past in continues]
    else:
        _check(version)
    for name, part in zip(_PARTS, parts, strict=True):
        setattr(fold, name, _assignments(part))
    fold.definitions = _given(given)
    branch = later[0] if later else None
    fold.branch = None if branch is None else (branch[0], bytes.fromhex(branch[1]))
    fold.continues = {
        bytes.fromhex(writer): frozenset(bytes.fromhex(one) for one in past) for writer, past in continues
    }


def _check(version: Any) -> None:
    if version != VERSION:
        raise MalformedEvent(f"summary state of version {version}; this release reads {VERSION}")


def _key_state(fold: KeyFold, numbers: Mapping[bytes, int]) -> Iterable[Any]:
    mantissa, exponent = canonical(fold.sum)
    total = mantissa if mantissa in _INT64 else f"{mantissa:x}"
    first, last = _seen_state(fold.first, numbers), _seen_state(fold.last, numbers)
    return (fold.count, fold.nan, fold.above, fold.below, fold.low, fold.high, total, exponent, first, last)


def _key(packed: list[Any], writers: list[bytes]) -> KeyFold:
    count, nan, above, below, low, high, mantissa, exponent, first, last = packed
    total: Exact = (int(mantissa, 16) if isinstance(mantissa, str) else mantissa, exponent)
    return KeyFold(count, nan, above, below, low, high, total, _seen(first, writers), _seen(last, writers))


def _old_key(packed: list[Any]) -> KeyFold:
    count, nan, above, below, low, high, mantissa, exponent, first, last = packed
    total = (int.from_bytes(mantissa, "little", signed=True), exponent)
    return KeyFold(count, nan, above, below, low, high, total, _old_seen(first), _old_seen(last))


def _seen_state(seen: Seen | None, numbers: Mapping[bytes, int]) -> list[Any] | None:
    return None if seen is None else [*seen.tag, numbers[seen.writer], _value_state(seen.value)]


def _seen(packed: list[Any] | None, writers: list[bytes]) -> Seen | None:
    if packed is None:
        return None
    step, offset, order, writer, value = packed
    return Seen((step, offset, order), writers[writer], _value(value))


def _old_seen(packed: list[Any] | None) -> Seen | None:
    if packed is None:
        return None
    step, offset, order, writer, value = packed
    return Seen((step, offset, order), writer, _value(value))


def _value_state(value: Any) -> Any:
    return value if isinstance(value, float | bool) or _fits(value) else [values.dump(value)]


def _fits(value: Any) -> bool:
    return isinstance(value, int) and value in _INT64


def _value(packed: Any) -> Any:
    return values.load(packed[0]) if isinstance(packed, list) else packed


def _assignments_state(part: Assignments) -> list[Any]:
    return [
        [
            list(path),
            list(known.tag),
            known.writer.hex(),
            known.order,
            None if known.value is Removed else values.dump(known.value),
        ]
        for path, known in sorted(part.entries.items())
    ]


def _assignments(packed: Iterable[Any]) -> Assignments:
    part = Assignments()
    for path, tag, writer, order, text in packed:
        value = Removed if text is None else values.load(text)
        part.assign(tuple(path), Assigned(tuple(tag), bytes.fromhex(writer), order, value))
    return part


def _given_state(definitions: Definitions) -> list[Any]:
    return [
        [list(tag), _definition_state(definition)]
        for _, given in sorted(definitions.given.items())
        for tag, definition in sorted(given.items())
    ]


def _definition_state(definition: Definition) -> dict[str, Any]:
    summary = None if definition.summary is None else sorted(definition.summary)
    return {name: getattr(definition, name) for name in Definition.__slots__} | {"summary": summary}


def _given(packed: Iterable[Any]) -> Definitions:
    definitions = Definitions()
    for tag, fields in packed:
        summary = fields["summary"]
        given = Definition(**(fields | {"summary": None if summary is None else frozenset(summary)}))
        definitions.define(tuple(tag), given)
    return definitions
