"""JSON text of arbitrary values, exact also for floats that JSON cannot represent.

Non-finite floats are represented as ``{"_type": "float", "value": "NaN" | "Infinity" | "-Infinity"}``. A dict with
exactly these two keys whose ``_type`` is ``float``, or ``float`` after tildes, is written with one more tilde, which is
removed when it is read, so that no dict is taken for a float. The text is ASCII: lone surrogates and NUL characters are
escaped.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from typing import Any


def _reject(constant: str) -> Any:
    raise ValueError(f"Invalid JSON constant {constant}")


#: JSON of RFC 8259, without Python's bare NaN and Infinity.
_STRICT = json.JSONDecoder(parse_constant=_reject)
#: Most texts have no whitespace around: reading them takes a third of the time without the decoder's checks for it.
_PLAIN = json.JSONDecoder()
_SHORT = 256
_SCALAR = re.compile(r'"[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null')
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_CONSTANTS = {None: "null", True: "true", False: "false"}
_SPELLING = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MARKED = {"_type", "value"}
#: The types in dicts that look like a float, or like a dict that is written as one.
_AMBIGUOUS = re.compile("~*float")
#: Found in every text that has such a dict, and rarely in others.
_PERHAPS_AMBIGUOUS = re.compile('"_type":"~*float"')


def dump(value: Any) -> str:
    """Return the JSON text of a value made of dicts, lists, tuples, str, int, float, bool and None.

    Raises TypeError for any other type, and RecursionError for a value nested beyond the interpreter's limit.
    """
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)
    if kind is int or (kind is float and math.isfinite(value)):
        return repr(value)
    if value is None or kind is bool:
        return _CONSTANTS[value]
    if not value and kind is dict:
        return "{}"
    try:
        text = _ENCODER.encode(value)
    except ValueError:
        pass
    else:
        if '"_type":"' not in text or _PERHAPS_AMBIGUOUS.search(text) is None:
            return text
    return _ENCODER.encode(_tagged(value))


def load(text: str) -> Any:
    """Return the value of a JSON text written by :func:`dump`; raises ValueError if it is not valid JSON."""
    # Without this name, which may be written with escapes, there is nothing to restore.
    if "_type" in text or "\\u" in text:
        return json.loads(text, object_hook=_untagged)
    try:
        value, end = _PLAIN.raw_decode(text)
    except ValueError:  # there is whitespace before the value, or it is not valid
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def check(text: str, *, depth: int) -> None:
    """Raise ValueError if a text is not valid JSON or is nested too deep."""
    # A short scalar value needs no further checks, as most values of configs.
    if len(text) <= _SHORT and _SCALAR.fullmatch(text) is not None:
        return
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
        tagged = {key: _tagged(item) for key, item in value.items()}
        return tagged | {"_type": f"~{tagged['_type']}"} if _is_ambiguous(tagged) else tagged
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return value


def _untagged(value: dict[str, Any]) -> Any:
    if len(value) != len(_MARKED) or not _is_ambiguous(value):
        return value
    name, content = value["_type"], value["value"]
    if name != "float":
        return value | {"_type": name[1:]}
    # A float only if it is one of the spellings: writers without escapes wrote users' dicts as they were.
    return _SPELLING.get(content, value) if isinstance(content, str) else value


def _is_ambiguous(value: Mapping[Any, Any]) -> bool:
    return (
        value.keys() == _MARKED and isinstance(value["_type"], str) and _AMBIGUOUS.fullmatch(value["_type"]) is not None
    )
