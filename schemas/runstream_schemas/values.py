"""JSON text of free values: exact for what JSON cannot say by itself, safe for whatever stores it.

Non-finite floats inside a value are spelled ``{"_type": "float", "value": "NaN" | "Infinity" | "-Infinity"}``. The text
is ASCII, so that lone surrogates and NUL characters travel as escapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_SPELLING = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def dump(value: Any) -> str:
    """Return the JSON text of a value made of dicts, lists, tuples, str, int, float, bool and None.

    Raises TypeError for any other type, and RecursionError for a value nested beyond the interpreter's limit.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_tagged(value), allow_nan=False, separators=(",", ":"))


def load(text: str) -> Any:
    """Return the value of a JSON text written by :func:`dump`; raises ValueError where it is no JSON."""
    return json.loads(text, object_hook=_untagged)


def _tagged(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"_type": "float", "value": "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"}
    if isinstance(value, Mapping):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return value


def _untagged(value: dict[str, Any]) -> Any:
    if value.keys() == {"_type", "value"} and value["_type"] == "float":
        return _SPELLING.get(value["value"], value)
    return value
