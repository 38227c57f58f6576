"""JSON text of free values: exact for what JSON cannot say by itself, safe for whatever stores it.

Non-finite floats inside a value are spelled ``{"_type": "float", "value": "NaN" | "Infinity" | "-Infinity"}``. The text
is ASCII, so that lone surrogates and NUL characters travel as escapes. A dict of that very form reads back as
the float.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


#: JSON as RFC 8259 has it: without Python's bare NaN and Infinity.
_STRICT = json.JSONDecoder(parse_constant=_refuse)
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


def check(text: str, *, depth: int) -> None:
    """Raise ValueError where a text is no JSON, or is nested deeper than that."""
    try:
        value = _STRICT.decode(text)
    except RecursionError:
        raise ValueError("JSON text nested beyond all bounds") from None
    # Brackets bound the depth from above; few texts have so many that they must be looked through.
    if text.count("[") + text.count("{") > depth and _depth(value) > depth:
        raise ValueError(f"JSON text nested deeper than {depth}")


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
