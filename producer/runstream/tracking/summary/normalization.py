"""What is recorded of a value that is assigned in the summary."""

from __future__ import annotations

import math
import sys
from enum import Enum
from typing import Any

from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder

#: Arrays with more elements than this are recorded as their statistics.
LONGEST_ARRAY = 32
_PERCENTILES = (10, 25, 75, 90)


def normalize_summary_value(value: Any, encoder: ValueEncoder = DEFAULT_ENCODER) -> Any:
    """Return a value as plain data: NaN as None, a large array as its statistics, a member of an enum as its name.

    Raises DataError if the value cannot be recorded.
    """
    if isinstance(value, dict):
        value = {
            key: normalize_summary_value(item, encoder) if _needs_it(item) else item for key, item in value.items()
        }
    elif isinstance(value, Enum):
        return value.name
    elif (array := _large_array(value)) is not None:
        value = _statistics(array, value)
    return _without_nan(encoder.value(value))


def _needs_it(item: Any) -> bool:
    # numpy is not imported for programs that do without it: that takes a quarter of the time of init().
    numpy = sys.modules.get("numpy")
    return isinstance(item, (dict, Enum)) or (numpy is not None and isinstance(item, numpy.ndarray))


def _large_array(value: Any) -> Any:
    """Return a large array of numbers, of any library, as a numpy array; None for any other value."""
    if not (hasattr(value, "tolist") and hasattr(value, "__array__")):
        return None
    import numpy as np  # noqa: PLC0415 - see _needs_it()

    try:
        array = np.asarray(value)
    except Exception:  # noqa: BLE001 - such as a tensor on another device: it is recorded like any other value
        return None
    return array if array.size > LONGEST_ARRAY and array.dtype.kind in "biuf" else None


def _statistics(array: Any, value: Any) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415

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
