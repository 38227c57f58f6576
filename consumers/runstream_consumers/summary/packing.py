"""Convert summary states to bytes and back, as the summary consumer stores them.

The keys are separate from everything else, since rows arrive often and the rest rarely does. Equal states are packed to
equal bytes: the plain data of ``runstream_schemas.summary_algebra.state_codec`` as msgpack.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import msgspec

from runstream_schemas import values
from runstream_schemas.summary_algebra.key_state import KeyState, Path, Seen
from runstream_schemas.summary_algebra.state_codec import decode_document, decode_keys, encode_document, encode_keys
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()


def pack_keys(keys: Mapping[Path, KeyState], latest: Seen | None = None) -> bytes:
    """Return the states of keys and the latest row as bytes."""
    return _ENCODER.encode(encode_keys(keys, latest))


def pack_document(state: SummaryState) -> bytes:
    """Return what :func:`pack_keys` omits as bytes."""
    return _ENCODER.encode(encode_document(state))


def unpack(run: RunPath, keys: bytes, document: bytes) -> SummaryState:
    """Return the packed state, without its times and its last step, which are stored in columns."""
    state = SummaryState(run=run)
    unpack_keys(state, keys)
    decode_document(state, _DECODER.decode(document))
    return state


def unpack_keys(state: SummaryState, keys: bytes) -> list[Path]:
    """Add packed keys to a state that has none of them, and return their paths."""
    before = len(state.keys)
    decode_keys(state, _DECODER.decode(keys))
    return list(islice(state.keys, before, None))


def texts(state: SummaryState) -> dict[str, str]:
    """Return the JSON texts that are served to readers, except for the summary."""
    return {
        "attributes": values.dump(state.attributes.resolve()),
        "metadata": values.dump(state.metadata.resolve()),
        "config": values.dump(state.config.resolve()),
        "metrics": values.dump([given.document() for given in state.definitions.in_force().values()]),
    }
