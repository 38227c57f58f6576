"""Sampled series as JSON, and as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runstream_consumers.api.documents.run_documents import place_json
from runstream_consumers.history.reader import Origin, Series

#: Points of each key and writer.
SeriesOf = Mapping[tuple[str, bytes], Series]

_MICROSECONDS = 1_000_000


def series_json(
    found: SeriesOf, labels: Mapping[bytes, str], origins: Mapping[bytes, Origin] | None = None
) -> list[dict[str, Any]]:
    """Return the points of each key and writer, by key and label; times in seconds.

    Where something else was measured than what the writer logs, its own label, else its host, is the label.
    """
    said = {writer: origin.label or origin.host for writer, origin in (origins or {}).items()}
    hosts = {writer: {"host": origin.host} for writer, origin in (origins or {}).items()}
    answer = [
        {
            "key": key,
            "writer": writer.hex(),
            "label": said.get(writer) or labels.get(writer, writer.hex()[:6]),
            **hosts.get(writer, {}),
            "steps": series.steps.tolist(),
            "times": (series.times / _MICROSECONDS).tolist(),
            "values": series.values.tolist(),
        }
        for (key, writer), series in found.items()
    ]
    return sorted(answer, key=lambda one: (one["key"], one["label"], one["writer"]))


def rows_json(found: SeriesOf, started: float | None) -> list[dict[str, Any]]:
    """Return the points as rows by step: those of one writer at one step and time are one row, its keys flat."""
    rows: dict[tuple[int, bytes, int], dict[str, Any]] = {}
    for (key, writer), series in found.items():
        for step, time, value in zip(series.steps.tolist(), series.times.tolist(), series.values.tolist(), strict=True):
            rows.setdefault((step, writer, time), {})[key] = value
    return [
        {**rows[place], **place_json(step=place[0], writer=place[1], time=place[2], started=started)}
        for place in sorted(rows, key=lambda place: (place[0], place[2], place[1]))
    ]
