"""Buckets: ranges of up to 256, 4 096 or 32 768 rows of one writer, of which the pyramid has extremes. Pure.

A bucket of one level consists of whole buckets of the level below. All metrics of a part have the same buckets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

#: Rows of a bucket by level, finest first.
LEVELS = (256, 4096, 32_768)


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """The buckets of one level of a part, by their first row; arrays of one length."""

    start: Numbers
    rows: Numbers
    writer: Numbers
    first_step: Numbers
    last_step: Numbers
    #: Offset of its first and of its last row.
    offset: Numbers
    last_offset: Numbers
    first_time: Numbers

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the buckets of :meth:`arrays`."""
        return cls(*(arrays[one.name] for one in fields(cls)))

    def arrays(self) -> dict[str, Numbers]:
        """Return the arrays by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __len__(self) -> int:
        return len(self.start)


def buckets_of(writer: Numbers, steps: Numbers, times: Numbers, offsets: Numbers, size: int) -> Buckets:
    """Return the buckets of ``size`` rows of a part, which has at least one row; arguments have one item per row."""
    begins = np.concatenate(([0], np.flatnonzero(np.diff(writer)) + 1))
    ends = np.append(begins[1:], len(writer))
    start = np.concatenate([np.arange(begin, end, size) for begin, end in zip(begins, ends, strict=True)])
    stop = np.append(start[1:], len(writer))
    return Buckets(
        start=start,
        rows=stop - start,
        writer=writer[start],
        first_step=np.minimum.reduceat(steps, start),
        last_step=np.maximum.reduceat(steps, start),
        offset=offsets[start],
        last_offset=offsets[stop - 1],
        first_time=np.minimum.reduceat(times, start),
    )
