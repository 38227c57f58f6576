"""What is recorded of a value that is set in the summary by hand."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np

from runstream.tracking.values.encoder import plain

#: More elements than this make an array a dict of statistics.
LONGEST_ARRAY = 32
_PERCENTILES = (10, 25, 75, 90)


def normalize_summary_value(value: Any) -> Any:
    """Return a value as plain data: NaN becomes None, a large array its statistics, an enum's member its name.

    Raises:
        DataError: There is no such form.
    """
    if isinstance(value, dict):
        deep = (dict, np.ndarray, Enum)
        value = {key: normalize_summary_value(item) if isinstance(item, deep) else item for key, item in value.items()}
    elif isinstance(value, Enum):
        return value.name
    elif (array := _large_array(value)) is not None:
        value = _statistics(array, value)
    return _without_nan(plain(value))


def _large_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Return the numbers of a large array, whichever library's; None for anything else."""
    if not (hasattr(value, "tolist") and hasattr(value, "__array__")):
        return None
    try:
        array = np.asarray(value)
    except Exception:  # noqa: BLE001 - a tensor on another device, say: it is looked at as any other value then
        return None
    return array if array.size > LONGEST_ARRAY and array.dtype.kind in "biuf" else None


def _statistics(array: np.ndarray[Any, Any], value: Any) -> dict[str, Any]:
    numbers = array.astype(np.float64)
    percentiles = np.percentile(numbers, _PERCENTILES).tolist()
    return {
        "_type": f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}",
        "min": numbers.min().item(),
        "max": numbers.max().item(),
        "mean": numbers.mean().item(),
        "var": numbers.var().item(),
        **{f"{percent}%": number for percent, number in zip(_PERCENTILES, percentiles, strict=True)},
        "size": array.size,
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value
