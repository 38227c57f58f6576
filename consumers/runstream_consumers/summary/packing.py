"""The fold of a run as bytes, and back: what the summary consumer keeps to go on folding.

Two parts, since rows arrive all the time and the rest seldom does: the keys, and everything else. Equal folds pack to
equal bytes. A value that is neither a number nor a boolean is kept as its JSON text, in a list of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runstream_schemas import values
from runstream_schemas.summary.assignments import Assigned, Assignments, Removed
from runstream_schemas.summary.definitions import Definition, Definitions
from runstream_schemas.summary.exact import canonical
from runstream_schemas.summary.fold import RunFold
from runstream_schemas.summary.key import KeyFold, Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.topics import RunPath

_VERSION = 1
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()


def pack_keys(fold: RunFold) -> bytes:
    """Return the folds of the keys as bytes."""
    keys = [(*path, _pack_key(fold.keys[path])) for path in sorted(fold.keys)]
    return _ENCODER.encode([_VERSION, keys])


def pack_document(fold: RunFold) -> bytes:
    """Return all that :func:`pack_keys` leaves out as bytes."""
    parts = [fold.manual, fold.config, fold.attributes, fold.metadata]
    continues = [(writer, sorted(earlier)) for writer, earlier in sorted(fold.continues.items())]
    return _ENCODER.encode([_VERSION, [_pack_assignments(part) for part in parts], _pack_given(fold), continues])


def unpack(run: RunPath, keys: bytes, document: bytes) -> RunFold:
    """Return the fold whose two parts were packed; its times and its last step are kept beside them."""
    version, packed_keys = _DECODER.decode(keys)
    other_version, parts, given, continues = _DECODER.decode(document)
    if {version, other_version} != {_VERSION}:
        raise ValueError(f"summary state of version {version}/{other_version}; this release reads {_VERSION}")
    manual, config, attributes, metadata = (_unpack_assignments(part) for part in parts)
    return RunFold(
        run=run,
        keys={tuple(path): _unpack_key(packed) for *path, packed in packed_keys},
        manual=manual,
        config=config,
        attributes=attributes,
        metadata=metadata,
        definitions=_unpack_given(given),
        continues={writer: frozenset(earlier) for writer, earlier in continues},
    )


def numeric_keys(keys: bytes) -> list[tuple[str, ...]]:
    """Return the paths of the packed keys that ever had a number."""
    _version, packed_keys = _DECODER.decode(keys)
    return [tuple(path) for *path, packed in packed_keys if _unpack_key(packed).count]


def _pack_key(fold: KeyFold) -> tuple[Any, ...]:
    mantissa, exponent = canonical(fold.sum)
    size = mantissa.bit_length() // 8 + 1
    return (
        fold.count,
        fold.nan,
        fold.above,
        fold.below,
        fold.low,
        fold.high,
        mantissa.to_bytes(size, "little", signed=True),
        exponent,
        _pack_seen(fold.first),
        _pack_seen(fold.last),
    )


def _unpack_key(packed: list[Any]) -> KeyFold:
    count, nan, above, below, low, high, mantissa, exponent, first, last = packed
    return KeyFold(
        count=count,
        nan=nan,
        above=above,
        below=below,
        low=low,
        high=high,
        sum=(int.from_bytes(mantissa, "little", signed=True), exponent),
        first=_unpack_seen(first),
        last=_unpack_seen(last),
    )


def _pack_seen(seen: Seen | None) -> Any:
    return None if seen is None else (*seen.tag, seen.writer, _pack_value(seen.value))


def _unpack_seen(packed: list[Any] | None) -> Seen | None:
    if packed is None:
        return None
    step, offset, order, writer, value = packed
    return Seen((step, offset, order), writer, _unpack_value(value))


def _pack_value(value: Any) -> Any:
    return value if isinstance(value, float | bool) or _fits(value) else [values.dump(value)]


def _fits(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _unpack_value(packed: Any) -> Any:
    return values.load(packed[0]) if isinstance(packed, list) else packed


def _pack_assignments(part: Assignments) -> list[Any]:
    return [
        (path, known.tag, known.writer, known.order, None if known.value is Removed else values.dump(known.value))
        for path, known in sorted(part.entries.items())
    ]


def _unpack_assignments(packed: list[Any]) -> Assignments:
    part = Assignments()
    for path, tag, writer, order, text in packed:
        value = Removed if text is None else values.load(text)
        part.assign(tuple(path), Assigned(tuple(tag), writer, order, value))
    return part


def _pack_given(fold: RunFold) -> list[Any]:
    return [
        (tag, _pack_definition(definition))
        for _, given in sorted(fold.definitions.given.items())
        for tag, definition in sorted(given.items())
    ]


def _pack_definition(definition: Definition) -> Mapping[str, Any]:
    summary = None if definition.summary is None else sorted(definition.summary)
    fields = {name: getattr(definition, name) for name in Definition.__slots__}
    return {**fields, "summary": summary}


def _unpack_given(packed: list[Any]) -> Definitions:
    definitions = Definitions()
    for tag, fields in packed:
        summary = fields.pop("summary")
        given = Definition(summary=None if summary is None else frozenset(summary), **fields)
        definitions.define(tuple(tag), given)
    return definitions


def texts(fold: RunFold) -> dict[str, str]:
    """Return the JSON texts of what :func:`pack_document` packs as readers get it: not the summary."""
    return {
        "attributes": values.dump(fold.attributes.resolve()),
        "metadata": values.dump(fold.metadata.resolve()),
        "config": values.dump(fold.config.resolve()),
        "metrics": values.dump([given.document() for given in fold.definitions.in_force().values()]),
    }
