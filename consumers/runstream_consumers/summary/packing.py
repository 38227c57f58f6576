"""Convert summary states to bytes and back, as the summary consumer stores them.

The keys are separate from everything else, since rows arrive often and the rest rarely does. Equal states are packed to
equal bytes: the plain data of ``runstream_schemas.summary_algebra.state_codec`` as msgpack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import msgspec

from runstream_schemas import values
from runstream_schemas.summary_algebra import state_codec
from runstream_schemas.summary_algebra.assignments import Assigned, apply
from runstream_schemas.summary_algebra.key_state import KeyState, Path, Seen
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath

_ENCODER = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()
_DECODER = msgspec.msgpack.Decoder()


def pack_keys(keys: Mapping[Path, KeyState], latest: Seen | None = None) -> bytes:
    """Return the states of keys and the latest row as bytes."""
    return _ENCODER.encode(state_codec.encode_keys(keys, latest))


def pack_document(state: SummaryState) -> bytes:
    """Return what :func:`pack_keys` omits as bytes."""
    return _ENCODER.encode(state_codec.encode_document(state))


def pack_changes(state: SummaryState) -> bytes:
    """Return what was assigned since the state was stored as bytes."""
    return _ENCODER.encode(state_codec.encode_assigned(state, state.changed.assigned))


def unpack_changes(changes: bytes) -> dict[str, list[tuple[Path, Assigned]]]:
    """Return the assignments that :func:`pack_changes` packed, by the name of the part of the state."""
    return state_codec.decode_assigned(_DECODER.decode(changes))


def unpack(run: RunPath, keys: bytes, document: bytes, changes: Iterable[bytes] = ()) -> SummaryState:
    """Return the packed state, without its times and its last step, which are stored in columns."""
    state = SummaryState(run=run)
    unpack_keys(state, keys)
    state_codec.decode_document(state, _DECODER.decode(document))
    for packed in changes:
        for name, items in unpack_changes(packed).items():
            for path, assigned in items:
                getattr(state, name).assign(path, assigned)
    return state


def changed_texts(texts: Mapping[str, str], changes: Iterable[bytes]) -> dict[str, dict[str, Any]]:
    """Return the documents in the JSON texts of :func:`texts` with the assignments that were stored since."""
    found: dict[str, dict[str, Any]] = {name: values.load(text) for name, text in texts.items()}
    parts = [unpack_changes(packed) for packed in changes]
    for name, tree in found.items():
        apply(tree, (item for part in parts for item in part.get(name, ())))
    return found


class _Key(msgspec.Struct, array_like=True, gc=False):
    """The beginning of the packed state of a key: what follows is not decoded."""

    path: list[str]
    #: Number of numbers that were logged.
    count: int


_NAMES = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, list[_Key], msgspec.Raw])


def numeric_keys(keys: bytes) -> list[str]:
    """Return the keys in the bytes of :func:`pack_keys` that ever had a number: their paths joined by dots."""
    try:
        return [".".join(one.path) for one in _NAMES.decode(keys)[2] if one.count]
    except msgspec.ValidationError:  # of version 1
        state = SummaryState(run=RunPath(entity="", project="", run_id=""))
        unpack_keys(state, keys)
        return [".".join(path) for path, one in state.keys.items() if one.count]


def unpack_keys(state: SummaryState, keys: bytes) -> list[Path]:
    """Add packed keys to a state that has none of them, and return their paths."""
    before = len(state.keys)
    state_codec.decode_keys(state, _DECODER.decode(keys))
    return list(islice(state.keys, before, None))


def documents(state: SummaryState) -> dict[str, Any]:
    """Return what is served to readers, except for the summary."""
    return {
        "attributes": state.attributes.resolve() | state.missing("attributes"),
        "metadata": state.metadata.resolve() | state.missing("metadata"),
        "config": state.config.resolve() | state.missing("config"),
        "metrics": [given.document() for given in state.definitions.in_force().values()],
    }


def texts(documents: Mapping[str, Any]) -> dict[str, str]:
    """Return the JSON texts of :func:`documents`."""
    return {name: text_of(document) for name, document in documents.items()}


def text_of(document: Any) -> str:
    """Return what :func:`runstream_schemas.values.dump` does, in a third of the time for most documents.

    Floats may be spelled in another way. The fast encoder writes null for floats that JSON lacks, leaves other letters
    than those of ASCII as they are, and does not mark dicts that look like such a float.
    """
    try:
        text = _JSON.encode(document)
    except (OverflowError, UnicodeEncodeError):  # an integer of more than 64 bits, a lone surrogate
        return values.dump(document)
    is_same = text.isascii() and b"null" not in text and b'"_type"' not in text
    return text.decode() if is_same else values.dump(document)
