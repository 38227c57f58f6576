"""Sampled series as JSON, and as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runstream_consumers.history.reader import Series

_MICROSECONDS = 1_000_000


def series_json(found: Sequence[Series], labels: Mapping[bytes, str]) -> list[dict[str, Any]]:
    """Return the points of each key and writer."""
    return [
        {
            "key": item.key,
            "writer": item.writer.hex(),
            "label": labels.get(item.writer, item.writer.hex()[:6]),
            "steps": [int(step) for step in item.steps],
            "times": [int(time) / _MICROSECONDS for time in item.times],
            "values": [_plain(value) for value in item.values],
        }
        for item in found
    ]
