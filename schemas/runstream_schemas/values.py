"""JSON text of arbitrary values, exact also for floats that JSON cannot represent.

Non-finite floats are represented as ``{"_type": "float", "value": "NaN" | "Infinity" | "-Infinity"}``. The text is
ASCII: lone surrogates and NUL characters are escaped. A dict of that form is also read as a float.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def _reject(constant: str) -> Any:
    raise ValueError(f"Invalid JSON constant {constant}")


#: JSON of RFC 8259, without Python's bare NaN and Infinity.
_STRICT = json.JSONDecoder(parse_constant=_reject)
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
    """Return the value of a JSON text written by :func:`dump`; raises ValueError if it is not valid JSON."""
    return json.loads(text, object_hook=_untagged)


def check(text: str, *, depth: int) -> None:
    """Raise ValueError if a text is not valid JSON or is nested too deep."""
    try:
        value = _STRICT.decode(text)
    except RecursionError:
        raise ValueError("JSON text nested beyond the interpreter's limit") from None
    # The number of brackets is an upper bound of the depth, and rarely large enough to require a traversal.
    if text.count("[") + text.count("{") > depth and _depth(value) > depth:
        raise ValueError(f"JSON text nested deeper than {depth} levels")


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


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
