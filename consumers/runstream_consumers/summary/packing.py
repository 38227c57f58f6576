"""The fold of a run as bytes, and back: what the summary consumer keeps to go on folding.

Two parts, since rows arrive all the time and the rest seldom does: the keys, and everything else. Equal folds pack to
equal bytes: the plain data of ``runstream_schemas.summary.state`` as msgpack.
"""

from __future__ import annotations

import msgspec

from runstream_schemas import values
from runstream_schemas.summary.fold import RunFold
from runstream_schemas.summary.state import document_state, keys_state, take_document, take_keys
from runstream_schemas.topics import RunPath

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()


def pack_keys(fold: RunFold) -> bytes:
    """Return the folds of the keys as bytes."""
    return _ENCODER.encode(keys_state(fold.keys, fold.latest))


def pack_document(fold: RunFold) -> bytes:
    """Return all that :func:`pack_keys` leaves out as bytes."""
    return _ENCODER.encode(document_state(fold))


def unpack(run: RunPath, keys: bytes, document: bytes) -> RunFold:
    """Return the fold whose two parts were packed; its times and its last step are kept beside them."""
    fold = RunFold(run=run)
    take_keys(fold, _DECODER.decode(keys))
    take_document(fold, _DECODER.decode(document))
    return fold


def numeric_keys(keys: bytes) -> list[tuple[str, ...]]:
    """Return the paths of the packed keys that ever had a number."""
    fold = RunFold(run=RunPath(entity="", project="", run_id=""))
    take_keys(fold, _DECODER.decode(keys))
    return [path for path, known in fold.keys.items() if known.count]


def texts(fold: RunFold) -> dict[str, str]:
    """Return the JSON texts of what :func:`pack_document` packs as readers get it: not the summary."""
    return {
        "attributes": values.dump(fold.attributes.resolve()),
        "metadata": values.dump(fold.metadata.resolve()),
        "config": values.dump(fold.config.resolve()),
        "metrics": values.dump([given.document() for given in fold.definitions.in_force().values()]),
    }
