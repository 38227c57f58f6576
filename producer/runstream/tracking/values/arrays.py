"""Arrays, tensors and iterators as plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from runstream.exceptions import DataError

#: Elements up to which an array is recorded as a list.
LONGEST_LIST = 32
#: Elements of the longest array or iterator that is recorded.
_LONGEST_ARRAY = 100_000
_BINS = 32

#: Encodes an array of more than :data:`LONGEST_LIST` elements, which is passed as a numpy array.
LongArrayEncoder = Callable[[Any], Any]


def histogram(array: Any) -> dict[str, Any]:
    """Return the histogram of the finite numbers of an array in 32 bins; raises TypeError or ValueError for others."""
    import numpy as np  # noqa: PLC0415 - imported already, if there is an array

    numbers = array.astype(np.uint8) if array.dtype == bool else array
    if not bool((finite := np.isfinite(numbers)).all()):
        numbers = numbers[finite]
        if not numbers.size:
            raise ValueError("no finite value")
    counts, edges = np.histogram(numbers, bins=_BINS)
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


def from_iterator(value: Iterator[Any]) -> list[Any]:
    """Return the items of an iterator; raises DataError if there are too many."""
    if len(items := list(islice(value, _LONGEST_ARRAY + 1))) > _LONGEST_ARRAY:
        raise DataError(f"Iterator too long: expected at most {_LONGEST_ARRAY} elements")
    return items


def from_array(value: Any, long_array: LongArrayEncoder | None) -> Any:
    """Return the plain data of a numpy scalar or array, a torch tensor or the like."""
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    count = math.prod(size) if isinstance(size, (tuple, list)) else int(size)
    if count == 1:
        return value.item()
    if count > LONGEST_LIST and long_array is not None:
        return long_array(_as_numpy(value))
    if count > _LONGEST_ARRAY:
        raise DataError(f"Array of {count} elements too long: expected at most {_LONGEST_ARRAY}")
    return value.tolist()


def _as_numpy(value: Any) -> Any:
    """Return a tensor of any type on any device as a numpy array."""
    import numpy as np  # noqa: PLC0415 - as in histogram()

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):  # numpy does not have it
            value = value.float()
    return np.asarray(value)
