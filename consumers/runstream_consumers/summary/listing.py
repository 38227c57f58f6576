"""What lists of runs select and sort by: the values of a run by their paths, as JSON that Postgres accepts. Pure.

The names of a path are joined by dots, so that ``{"a": {"b": 1}}`` and ``{"a.b": 1}`` are found alike. A dict has an
empty object at its own path. Numbers are within the range of floats; NaN is ``{"nan": true}``. Texts are cut to
:data:`LONGEST_TEXT` characters, and have a replacement character for each NUL and lone surrogate.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from runstream_schemas.attributes import Attributes, display_name

#: Characters of a text by which it is found.
LONGEST_TEXT = 1000
#: Items of a list, and keys of a config or of a summary, by which a run is found.
MOST_ITEMS, MOST_KEYS = 100, 1000
#: Prefixes of paths in the config, and of attributes.
CONFIG, ATTRIBUTE = "c.", "a."

_FAST_ENCODER = msgspec.json.Encoder()
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_LARGEST = sys.float_info.max
_UNSUITABLE = re.compile("[\0\ud800-\udfff]")


class Listed(dict[str, Any]):
    """Values by path; ``partial`` if there are more than are listed."""

    partial: bool = False


def listed(tree: Mapping[str, Any], prefix: str = "") -> Listed:
    """Return the values of nested dicts by path."""
    found = Listed()
    _add(found, tree, prefix)
    return found


def described(run_id: str, known: Attributes, user: Any) -> dict[str, Any]:
    """Return the attributes by which a run is found."""
    name = display_name(known.name, known.generated_name, known.number) or run_id
    values: dict[str, Any] = {
        "id": run_id,
        "display_name": name,
        "notes": known.notes or None,
        "tags": list(known.tags),
        "group": known.group or None,
        "job_type": known.job_type or None,
        "sweep": known.sweep_id or None,
        "user": user if isinstance(user, str) else None,
    }
    return {ATTRIBUTE + key: leaf(value) for key, value in values.items() if value is not None}


def leaf(value: Any) -> Any:
    """Return a value that is not a dict as it is listed."""
    if isinstance(value, str):
        return _UNSUITABLE.sub("\ufffd", value[:LONGEST_TEXT])
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float) and math.isnan(value):
        return {"nan": True}
    if isinstance(value, int | float):  # an integer may be too large for a float
        return min(max(value, -_LARGEST), _LARGEST)
    if isinstance(value, list) and len(value) <= MOST_ITEMS:
        return [{} if isinstance(item, dict | list) else leaf(item) for item in value]
    return {}


def to_json(values: Mapping[str, Any]) -> str:
    """Return listed values as JSON text."""
    try:
        return _FAST_ENCODER.encode(values).decode()
    except OverflowError:  # an integer of more than 64 bits
        return _ENCODER.encode(values)


def _add(found: Listed, tree: Mapping[str, Any], prefix: str) -> None:
    for key, value in tree.items():
        if len(found) >= MOST_KEYS:
            found.partial = True
            return
        path = prefix + (key if key.isascii() and "\0" not in key else _UNSUITABLE.sub("\ufffd", key))
        kind = type(value)
        # Most values are numbers; NaN fulfills no comparison.
        is_plain = (kind is float or kind is int) and -_LARGEST <= value <= _LARGEST
        found[path] = value if is_plain else leaf(value)
        if kind is dict:
            _add(found, value, f"{path}.")
