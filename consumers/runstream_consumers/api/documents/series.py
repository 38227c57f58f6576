"""Sampled series as JSON, and as rows; see ``answers.render_list`` for why these are not models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runstream_consumers.api.documents.run_documents import MICROSECONDS, position_json
from runstream_consumers.history.reader import Origin, Series

#: Points by key and writer.
SeriesByKey = Mapping[tuple[str, bytes], Series]


def series_json(found: SeriesByKey, labels: Mapping[bytes, str], origins: Mapping[bytes, Origin]) -> list[Any]:
    """Return the points of each key and writer, ordered by key and label; times in seconds.

    The label of system metrics is the label, or else the host, of the process that was measured.
    """
    answer = []
    for (key, writer), series in found.items():
        origin = origins.get(writer)
        label = "" if origin is None else origin.label or origin.host
        answer.append(
            {
                "key": key,
                "writer": writer.hex(),
                "label": label or labels.get(writer, writer.hex()[:6]),
                **({} if origin is None else {"host": origin.host}),
                "steps": series.steps.tolist(),
                "times": (series.times / MICROSECONDS).tolist(),
                "values": series.values.tolist(),
            }
        )
    return sorted(answer, key=lambda one: (one["key"], one["label"], one["writer"]))


def rows_json(found: SeriesByKey, started: float | None) -> list[dict[str, Any]]:
    """Return the points as rows by step: those of one writer at one step and time form one row with flat keys."""
    rows: dict[tuple[int, bytes, int], dict[str, Any]] = {}
    for (key, writer), series in found.items():
        for step, time, value in zip(series.steps.tolist(), series.times.tolist(), series.values.tolist(), strict=True):
            rows.setdefault((step, writer, time), {})[key] = value
    return [
        {**rows[place], **position_json(step=place[0], writer=place[1], time=place[2], started=started)}
        for place in sorted(rows, key=lambda place: (place[0], place[2], place[1]))
    ]
