"""The fold of a run as bytes, and back: what the summary consumer keeps to go on folding.

Two parts, since rows arrive all the time and the rest seldom does: the keys, and everything else. Equal folds pack to
equal bytes: the plain data of ``runstream_schemas.summary_algebra.state`` as msgpack.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from runstream_schemas import values
from runstream_schemas.summary_algebra.fold import RunFold
from runstream_schemas.summary_algebra.state import document_state, keys_state, take_document, take_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.summary_algebra.key import KeyFold, Path, Seen
    from runstream_schemas.topics import RunPath

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()


def pack_keys(keys: Mapping[Path, KeyFold], latest: Seen | None = None) -> bytes:
    """Return the folds of keys, and where the latest row stands, as bytes."""
    return _ENCODER.encode(keys_state(keys, latest))


def pack_document(fold: RunFold) -> bytes:
    """Return all that :func:`pack_keys` leaves out as bytes."""
    return _ENCODER.encode(document_state(fold))


def unpack(run: RunPath, keys: bytes, document: bytes) -> RunFold:
    """Return the fold whose two parts were packed; its times and its last step are kept beside them."""
    fold = RunFold(run=run)
    unpack_keys(fold, keys)
    take_document(fold, _DECODER.decode(document))
    return fold


def unpack_keys(fold: RunFold, keys: bytes) -> list[Path]:
    """Add packed keys to a fold that has none of them; return their paths."""
    before = len(fold.keys)
    take_keys(fold, _DECODER.decode(keys))
    return list(islice(fold.keys, before, None))


def texts(fold: RunFold) -> dict[str, str]:
    """Return the JSON texts of what :func:`pack_document` packs as readers get it: not the summary."""
    return {
        "attributes": values.dump(fold.attributes.resolve()),
        "metadata": values.dump(fold.metadata.resolve()),
        "config": values.dump(fold.config.resolve()),
        "metrics": values.dump([given.document() for given in fold.definitions.in_force().values()]),
    }
