"""The bytes of one level of a metric's pyramid. Positions are stored relative to their bucket."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.pyramid.buckets import Buckets
from runstream_consumers.archive.pyramid.levels import Level, Points
from runstream_consumers.archive.storage.codec import pack, pack_numbers, unpack, unpack_numbers

_POINTS = ("first", "last", "least", "greatest")


def encode_level(level: Level, buckets: Buckets) -> bytes:
    """Return the bytes of a level."""
    arrays: dict[str, NDArray[Any]] = {
        "bucket": np.diff(level.bucket, prepend=0).astype(np.uint32),
        "count": level.count.astype(np.uint32),
        "finite": level.finite.astype(np.uint32),
        "total": level.total,
    }
    for name, points in zip(_POINTS, level.points, strict=True):
        # Differences of extreme steps wrap around, here and when they are added again.
        arrays[f"{name}_step"] = points.steps - buckets.first_step[level.bucket]
        arrays[f"{name}_time"] = points.times - buckets.first_time[level.bucket]
        arrays[f"{name}_value"] = points.values
    return pack(pack_numbers(arrays))


def decode_level(data: bytes, buckets: Buckets) -> Level:
    """Return the level of :func:`encode_level`; raises IndexDamaged."""
    arrays = unpack_numbers(unpack(data))
    bucket = np.cumsum(arrays["bucket"], dtype=np.int64)

    def points(name: str) -> Points:
        return Points(
            arrays[f"{name}_step"] + buckets.first_step[bucket],
            arrays[f"{name}_time"] + buckets.first_time[bucket],
            arrays[f"{name}_value"],
        )

    return Level(
        bucket,
        arrays["count"].astype(np.int64),
        arrays["finite"].astype(np.int64),
        arrays["total"],
        *(points(name) for name in _POINTS),
    )
